"""Wrong keys, addresses, models and files: one clear message each, nothing uploaded, and never the key."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from pyspark.sql import SparkSession
from tests.http.training.front import Reply, front_of, once_each
from tests.http.training.setting import (
    KEY,
    KEY_VARIABLE,
    Service,
    publish_examples,
    running_service,
    settings_for,
)

from finelake.config.settings import Settings
from finelake.errors import FinelakeError, InputError, ServiceError
from finelake.services.azure_openai import connect_azure
from finelake.services.connect import connect
from finelake.services.deployed import ModelAddress, Target
from finelake.training.driver import train

pytestmark = [pytest.mark.http, pytest.mark.spark]

WRONG_KEY = "not-the-right-key-0123456789"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of this module: they leave nothing in it."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service's key where the settings look for it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def refused(spark: SparkSession, settings: Settings, kind: type[FinelakeError]) -> str:
    """Give the message of a run that cannot begin."""
    with pytest.raises(kind) as caught:
        train(spark, settings)
    message = str(caught.value)
    assert KEY not in message
    assert WRONG_KEY not in message
    assert caught.value.__cause__ is None
    return message


@pytest.mark.parametrize("api", ["v1", "dated"])
def test_a_wrong_key(
    spark: SparkSession, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    publish_examples(tmp_path / "published")
    monkeypatch.setenv("WRONG_KEY", WRONG_KEY)
    settings = settings_for(tmp_path, url=service.url, service={"api_key": {"env": "WRONG_KEY"}, "api": api})
    message = refused(spark, settings, ServiceError)
    assert "refused the credential (401)" in message
    assert "environment variable WRONG_KEY" in message


def test_a_missing_key(spark: SparkSession, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_examples(tmp_path / "published")
    monkeypatch.delenv(KEY_VARIABLE)
    message = refused(spark, settings_for(tmp_path, url=service.url), FinelakeError)
    assert f"service.api_key points at environment variable {KEY_VARIABLE}, which is not set" in message


def test_an_address_where_nothing_listens(spark: SparkSession, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert f"Nothing listens at {url}" in refused(spark, settings_for(tmp_path, url=url), ServiceError)


def test_an_address_that_no_name_server_knows(spark: SparkSession, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    message = refused(spark, settings_for(tmp_path, url="https://shop.invalid"), ServiceError)
    assert "The host name of https://shop.invalid is not known" in message


def test_an_address_with_a_wrong_path(spark: SparkSession, service: Service, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    settings = settings_for(tmp_path, url=service.url, service={"endpoint": f"{service.url}/nothing/here"})
    assert "has nothing at the address" in refused(spark, settings, ServiceError)


def test_an_address_that_answers_with_a_page(spark: SparkSession, service: Service, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    page = once_each(*[("GET", "/files", Reply(200, b"<html>Sign in</html>"))] * 5)
    with front_of(service.url, page) as front:
        assert "does not speak this API" in refused(spark, settings_for(tmp_path, url=front.url), ServiceError)


def test_files_that_changed_are_not_uploaded(spark: SparkSession, service: Service, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    path = tmp_path / "published" / "validation.jsonl"
    path.write_bytes(path.read_bytes() + b"\n")
    message = refused(spark, settings_for(tmp_path, url=service.url), InputError)
    assert "validation.jsonl is not the file that was published" in message
    path.unlink()
    assert "cannot be read" in refused(spark, settings_for(tmp_path, url=service.url), InputError)
    assert service.file_names() == []


def test_too_much_capacity_is_explained(service: Service, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url=service.url)
    model = ModelAddress(format="OpenAI", name="gpt-4.1-mini", version="2025-04-14")
    with connect(settings.service) as connected:
        assert connected.deployments is not None
        with pytest.raises(ServiceError, match=r"InsufficientQuota.*bigger than the current available capacity"):
            connected.deployments.put(Target(name="big", model=model, sku="GlobalStandard", capacity=100_000))


@pytest.mark.parametrize("api", ["v1", "dated"])
def test_a_token_is_fresh_at_each_request(service: Service, tmp_path: Path, api: Literal["v1", "dated"]) -> None:
    tokens = [KEY, "an-expired-token", KEY]
    settings = settings_for(tmp_path, url=service.url, service={"api": api}).service
    with connect_azure(settings, token=lambda: tokens.pop(0)) as connected:
        connected.greet()
        with pytest.raises(ServiceError, match=r"401.*It came from Entra ID"):
            connected.greet()
        connected.greet()
    assert tokens == []
