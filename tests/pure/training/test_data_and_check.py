"""Published files are verified, and what must fail fails before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.http.training.setting import MODEL, publish_examples, settings_for

from finelake.config.models import load_catalogue
from finelake.errors import ConfigError, InputError
from finelake.training.check import check_data, check_model
from finelake.training.data import read_training_data

CATALOGUE = load_catalogue()


def test_published_files_are_read(tmp_path: Path) -> None:
    publish_examples(tmp_path)
    data = read_training_data(tmp_path)
    assert (data.model, data.train.examples, data.validation.examples) == (MODEL, 24, 12)


def test_a_folder_that_is_not_published_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing published"):
        read_training_data(tmp_path)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_missing_file_is_named(tmp_path: Path, split: str) -> None:
    publish_examples(tmp_path)
    (tmp_path / f"{split}.jsonl").unlink()
    with pytest.raises(InputError, match=rf"{split}\.jsonl is listed .* cannot be read"):
        read_training_data(tmp_path)


def test_a_file_that_was_changed_is_named(tmp_path: Path) -> None:
    publish_examples(tmp_path)
    path = tmp_path / "train.jsonl"
    path.write_bytes(path.read_bytes().replace(b"warehouse", b"warehousE", 1))
    with pytest.raises(InputError, match=r"train\.jsonl is not the file that was published"):
        read_training_data(tmp_path)


def test_a_garbled_manifest_is_named(tmp_path: Path) -> None:
    publish_examples(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["files"]["validation"]["sha256"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json lacks or garbles 'sha256'"):
        read_training_data(tmp_path)


@pytest.mark.parametrize(("counts", "split"), [({"train": 9}, "train"), ({"validation": 9}, "validation")])
def test_too_few_examples_are_counted(tmp_path: Path, counts: dict[str, int], split: str) -> None:
    publish_examples(tmp_path, **counts)
    with pytest.raises(InputError, match=rf"{split}\.jsonl holds 9 examples, and a job needs at least 10"):
        check_data(
            read_training_data(tmp_path),
            settings=settings_for(tmp_path, url="http://127.0.0.1"),
            limits=CATALOGUE.limits,
        )


def test_exactly_enough_examples_pass(tmp_path: Path) -> None:
    publish_examples(tmp_path, train=10, validation=10)
    data, settings = read_training_data(tmp_path), settings_for(tmp_path, url="http://127.0.0.1")
    check_data(data, settings=settings, limits=CATALOGUE.limits)


@pytest.mark.parametrize(
    ("limit", "message"),
    [({"max_file_bytes": 100}, "the service takes files below 100"), ({"max_tokens_times_epochs": 1000}, "epochs")],
)
def test_the_service_limits_are_kept(tmp_path: Path, limit: dict[str, int], message: str) -> None:
    publish_examples(tmp_path)
    limits = CATALOGUE.limits.model_copy(update=limit)
    with pytest.raises(InputError, match=message):
        check_data(read_training_data(tmp_path), settings=settings_for(tmp_path, url="http://127.0.0.1"), limits=limits)


@pytest.mark.parametrize(
    ("model", "training", "message"),
    [
        ("gpt-4.1-nano", {}, "was curated for"),
        (MODEL, {"training_type": "standard"}, None),
    ],
)
def test_the_model_must_fit(tmp_path: Path, model: str, training: dict[str, object], message: str | None) -> None:
    publish_examples(tmp_path)
    settings = settings_for(tmp_path, url="http://127.0.0.1", training=training).model_copy(update={"model": model})
    data = read_training_data(tmp_path)
    info = CATALOGUE.find(model)
    if message is None:
        check_model(data, settings=settings, model=info, counted_for=CATALOGUE.find(data.model))
        return
    with pytest.raises(ConfigError, match=message):
        check_model(data, settings=settings, model=info, counted_for=CATALOGUE.find(data.model))


def test_a_model_without_supervised_tuning_is_refused(tmp_path: Path) -> None:
    publish_examples(tmp_path)
    info = CATALOGUE.find("o4-mini")
    settings = settings_for(tmp_path, url="http://127.0.0.1").model_copy(update={"model": "o4-mini"})
    with pytest.raises(ConfigError, match="offers no supervised fine-tuning"):
        check_model(read_training_data(tmp_path), settings=settings, model=info, counted_for=info)
