"""Names derived from what is trained: the same inputs give the same, other inputs give others."""

from __future__ import annotations

from pathlib import Path

import pytest

from finelake.config.models import load_catalogue
from finelake.config.settings import Settings
from finelake.training.data import DataFile, TrainingData
from finelake.training.identity import base_address, base_deployment, job_suffix, run_id, tuned_deployment, upload_name

CATALOGUE = load_catalogue()
MODEL = "gpt-4.1-mini-2025-04-14"


def file(split: str, digit: str) -> DataFile:
    return DataFile(split=split, path=Path(f"{split}.jsonl"), bytes=9, sha256=digit * 64, examples=20, tokens=400)


def data(*, train: str = "a") -> TrainingData:
    return TrainingData(
        model=MODEL, train=file("train", train), validation=file("validation", "b"), test=file("test", "c")
    )


def settings(**sections: object) -> Settings:
    values = {"project": "shop", "model": MODEL, "source": {"table": "a.b.c", "columns": {"turn_index": "i"}}}
    return Settings.model_validate(values | sections)


def identify(given: Settings, *, train: str = "a") -> str:
    return run_id(data(train=train), settings=given, model=CATALOGUE.find(given.model))


AZURE = {"endpoint": "https://shop.openai.azure.com", "subscription_id": "s", "resource_group": "g", "account": "shop"}


def test_waiting_naming_ports_and_aliases_do_not_make_another_run() -> None:
    plain = identify(settings(service={"endpoint": "http://127.0.0.1:8000"}))
    assert len(plain) == 16
    assert identify(settings(service={"endpoint": "http://127.0.0.1:9000", "api": "dated"})) == plain
    assert identify(settings(service={"endpoint": "http://127.0.0.1:1"}, model="gpt-4.1-mini")) == plain
    waiting = {"poll_seconds": 1, "deadline_hours": 2, "suffix": "other"}
    assert identify(settings(service={"endpoint": "http://127.0.0.1:1"}, training=waiting)) == plain


@pytest.mark.parametrize(
    "changed",
    [
        {"training": {"epochs": 2}},
        {"training": {"seed": 8}},
        {"training": {"attempt": 2}},
        {"training": {"training_type": "developerTier"}},
        {"model": "gpt-4.1-nano"},
        {"project": "other"},
        {"service": AZURE | {"account": "another"}},
        {"service": {"kind": "openai"}},
    ],
)
def test_another_job_is_another_run(changed: dict[str, object]) -> None:
    assert identify(settings(service=AZURE)) != identify(settings(**({"service": AZURE} | changed)))


def test_other_data_is_another_run() -> None:
    assert identify(settings(), train="a") != identify(settings(), train="d")


@pytest.mark.parametrize("longest", [18, 40, 64])
def test_a_suffix_fits_and_ends_with_the_run(longest: int) -> None:
    given = settings(project="support-" + "x" * 30)
    run = identify(given)
    suffix = job_suffix(given, run=run, longest=longest)
    assert len(suffix) <= longest
    assert suffix.endswith(f"-{run}")
    assert not suffix.startswith("-")


def test_names_carry_hash_and_run() -> None:
    given = settings()
    assert upload_name(given, file("train", "a")) == f"shop-train-{'a' * 16}.jsonl"
    assert tuned_deployment(given, run="0123456789abcdef") == "shop-01234567"
    assert base_deployment(given) == "shop-base"
    named = settings(deployment={"name": "support-bot", "base_name": "plain"})
    assert (tuned_deployment(named, run="0"), base_deployment(named)) == ("support-bot", "plain")


@pytest.mark.parametrize(
    ("model", "name", "version"),
    [
        ("gpt-4.1-mini", "gpt-4.1-mini", "2025-04-14"),
        ("gpt-35-turbo-0125", "gpt-35-turbo", "0125"),
        ("gpt-4.1-mini-2025-04-14.ft-0a1b", "gpt-4.1-mini-2025-04-14.ft-0a1b", "1"),
        ("Ministral-3B", "Ministral-3B", "1"),
    ],
)
def test_the_base_model_as_arm_names_it(model: str, name: str, version: str) -> None:
    address = base_address(settings(model=model), CATALOGUE.find(model))
    assert (address.name, address.version) == (name, version)
