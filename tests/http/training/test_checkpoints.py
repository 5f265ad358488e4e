"""The best checkpoint instead of the last one, and a job that is stopped early, with a driver of its own journal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.http.training.setting import KEY, KEY_VARIABLE, Service, publish_examples, running_service, settings_for
from tests.http.training.sparkless import drive_without_spark

from finelake.config.settings import Settings
from finelake.services.connect import connect

pytestmark = pytest.mark.http


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests of this module."""
    with running_service(tmp_path_factory.mktemp("service"), training_seconds=20.0, quota=1000) as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service's key where the settings look for it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def publish_by_heart(folder: Path, *, salt: str) -> None:
    """Write published files whose training examples are all alike and tell nothing of the validation examples."""
    publish_examples(folder, salt=salt, train=12, validation=10)
    line = {"messages": [{"role": "user", "content": f"Hello {salt}"}, {"role": "assistant", "content": "Blue. " * 30}]}
    content = "".join(json.dumps(line) + "\n" for _ in range(12))
    (folder / "train.jsonl").write_text(content, encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["train"] |= {"bytes": len(content), "sha256": hashlib.sha256(content.encode()).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def served(settings: Settings, name: str) -> str:
    with connect(settings.service) as connected:
        assert connected.deployments is not None
        found = connected.deployments.find(name)
        assert found is not None
        return found.model


def results_of(folder: Path, run_id: str) -> dict[str, dict[str, Any]]:
    entries = [json.loads(path.read_text()) for path in sorted((folder / "journals" / run_id).glob("*.json"))]
    return {entry["step"]: entry["payload"] for entry in entries if entry["entry"] == "result"}


def test_the_best_checkpoint_is_deployed_under_a_name_of_its_own_also_when_asked_for_later(
    service: Service, tmp_path: Path
) -> None:
    publish_by_heart(tmp_path / "published", salt="best")
    settings = settings_for(tmp_path, url=service.url, training={"epochs": 3, "batch_size": 4})
    last = drive_without_spark(settings, tmp_path / "journals")
    assert last.deployed_model == last.fine_tuned_model == served(settings, last.deployment)
    measured = results_of(tmp_path, last.run_id)["watch"]["measured"]
    assert [one["step"] for one in measured] == [3, 6, 9]
    assert measured[0]["full_valid_loss"] < measured[2]["full_valid_loss"]

    choosing = settings.deployment.model_copy(update={"checkpoint": "best"})
    best = drive_without_spark(settings.model_copy(update={"deployment": choosing}), tmp_path / "journals")
    assert best.job_id == last.job_id
    assert best.deployed_model == f"{last.fine_tuned_model}:ckpt-step-3" == served(settings, best.deployment)
    assert best.deployment == f"{last.deployment}-step-3"
    assert any("Over-fitting" in found for found in best.findings)
    recorded = results_of(tmp_path, last.run_id)["deploy"]
    assert (recorded["step"], recorded["model"]) == (3, best.deployed_model)
    assert "lowest loss of the whole validation file" in recorded["why"]


@pytest.mark.parametrize("then", ["pause", "cancel"])
def test_a_job_that_no_longer_learns_is_stopped_once_and_its_best_checkpoint_is_used(
    service: Service, tmp_path: Path, then: str
) -> None:
    publish_by_heart(tmp_path / "published", salt=then)
    training = {"epochs": 40, "batch_size": 1, "early_stop": {"patience": 2, "then": then}}
    settings = settings_for(tmp_path, url=service.url, training=training)
    outcome = drive_without_spark(settings, tmp_path / "journals")
    assert "has not improved" in str(outcome.stopped_early)
    state = service.client.fine_tuning.jobs.retrieve(outcome.job_id).status
    assert state == ("paused" if then == "pause" else "cancelled")
    results = results_of(tmp_path, outcome.run_id)
    assert results["early_stop"]["then"] == then
    measured = {one["model"]: one["full_valid_loss"] for one in results["watch"]["measured"]}
    assert measured[outcome.deployed_model] == min(measured.values())
    assert served(settings, outcome.deployment) == outcome.deployed_model
    assert drive_without_spark(settings, tmp_path / "journals").finished_before
