"""Preference jobs and pictures from files to a deployment that answers, at each kind of service."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from tests.http.training.setting import (
    KEY,
    KEY_VARIABLE,
    Service,
    driver_environment,
    publish_lines,
    running_service,
    settings_for,
)
from tests.http.training.sparkless import drive_without_spark

from finelake.errors import ConfigError, PlanRefusedError
from finelake.training.progress import JobReport, Progress
from support.method_lines import data_url, pair, pairs, png, seen

pytestmark = pytest.mark.http

SUPERVISED = [
    json.dumps({"messages": [*pair(at)["input"]["messages"], *pair(at)["preferred_output"]]}) for at in range(6)
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of this module."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service's key where the settings look for it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


class Losses(Progress):
    """Keeps the losses that the job told."""

    def __init__(self) -> None:
        self.train: list[float] = []

    def job_changed(self, report: JobReport) -> None:
        if report.train_loss is not None:
            self.train.append(report.train_loss)


def publish_pairs(folder: Path, *, start: int) -> None:
    """Publish preference files; the test file is of chats, as all its readers expect."""
    lines = {"train": pairs(24, start=start), "validation": pairs(12, start=start + 24), "test": SUPERVISED}
    publish_lines(folder, lines, method="dpo")


@pytest.mark.parametrize(
    ("place", "start"),
    [({"api": "v1"}, 0), ({"api": "dated"}, 100), ({"kind": "openai", "path": "/v1"}, 200)],
)
def test_a_preference_job_ends_with_a_model_that_gives_the_preferred_answers(
    service: Service, tmp_path: Path, place: dict[str, str], start: int
) -> None:
    publish_pairs(tmp_path / "published", start=start)
    address = {"endpoint": service.url + place.get("path", "")} | {k: v for k, v in place.items() if k != "path"}
    settings = settings_for(
        tmp_path, url=service.url, service=dict(address), training={"method": "dpo", "beta": 0.5, "epochs": 2}
    )
    losses = Losses()
    outcome = drive_without_spark(settings, tmp_path / "journal", progress=losses)
    client = service.client if place.get("kind") != "openai" else _openai(service)
    job = client.fine_tuning.jobs.retrieve(outcome.job_id)
    assert job.method is not None
    assert job.method.type == "dpo"
    assert job.method.dpo is not None
    assert job.method.dpo.hyperparameters is not None
    assert job.method.dpo.hyperparameters.beta == 0.5
    # Direct preference optimization begins at ln 2, and falls as the preferred answers gain.
    assert losses.train[-1] < 0.69
    answer = client.chat.completions.create(
        model=outcome.deployment, messages=[{"role": "user", "content": f"When does order {1003 + start} arrive?"}]
    )
    assert answer.choices[0].message.content == f"Order {1003 + start} arrives in {2 + (3 + start) % 5} days."


def _openai(service: Service) -> OpenAI:
    return OpenAI(base_url=f"{service.url}/v1", api_key=KEY)


def test_no_reinforcement_job_is_created(service: Service, tmp_path: Path) -> None:
    publish_lines(tmp_path / "published", {"train": SUPERVISED, "validation": SUPERVISED, "test": SUPERVISED})
    before = service.file_names()
    settings = settings_for(tmp_path, url=service.url, training={"method": "reinforcement"})
    with pytest.raises(ConfigError, match="reinforcement jobs are not created"):
        drive_without_spark(settings, tmp_path / "journal")
    assert service.file_names() == before


def test_the_command_prepares_lines_that_the_plan_takes(service: Service, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, url=service.url, training={"method": "dpo"})
    (tmp_path / "finelake.json").write_text(settings.model_dump_json(exclude_unset=True), encoding="utf-8")
    (tmp_path / "pairs.jsonl").write_text("\n".join([*pairs(200, start=500), "{}"]), encoding="utf-8")

    def run(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "finelake", *arguments, "--config", str(tmp_path / "finelake.json"), "--json"]
        ended = subprocess.run(command, env=driver_environment(), capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        told: dict[str, Any] = json.loads(ended.stdout)
        return told

    prepared = run("prepare", str(tmp_path / "pairs.jsonl"))["prepare"]
    assert (prepared["kept"], prepared["quarantined"], prepared["reasons"]) == (200, 1, {"input_missing": 1})
    assert run("plan")["plan"]["method"] == "dpo"


def test_files_of_another_method_are_refused_by_the_plan_and_by_the_service(service: Service, tmp_path: Path) -> None:
    publish_pairs(tmp_path / "published", start=300)
    with pytest.raises(PlanRefusedError, match=r"curated_method, examples, line_form(?s:.*)line_key_unknown"):
        drive_without_spark(settings_for(tmp_path, url=service.url), tmp_path / "journal")
    files = [_upload(service, "\n".join(pairs(12))), _upload(service, "\n".join(SUPERVISED * 2))]
    for file, kind, other in ((files[0], "supervised", "dpo"), (files[1], "dpo", "supervised")):
        with pytest.raises(BadRequestError, match=rf"is a {other} file; the method is {kind}"):
            _create(service, file, kind)
    with pytest.raises(BadRequestError, match="does not support fine-tuning with method 'dpo'"):
        _create(service, files[0], "dpo", model="gpt-4o-mini-2024-07-18")


def test_a_model_without_preference_training_is_refused_by_the_plan(service: Service, tmp_path: Path) -> None:
    publish_pairs(tmp_path / "published", start=400)
    settings = settings_for(tmp_path, url=service.url, training={"method": "dpo"})
    with pytest.raises(PlanRefusedError, match="method: dpo training of gpt-4o-mini"):
        drive_without_spark(settings.model_copy(update={"model": "gpt-4o-mini"}), tmp_path / "journal")


def test_pictures_are_trained_where_the_model_sees_and_refused_where_not(service: Service, tmp_path: Path) -> None:
    lines = [json.dumps(seen(data_url(png(2 + at % 9)), f"https://shop.example/{at}.webp")) for at in range(24)]
    files = {"train": lines[:12], "validation": lines[12:], "test": SUPERVISED}
    publish_lines(tmp_path / "published", files, model="gpt-4.1-2025-04-14")
    given = settings_for(tmp_path, url=service.url)
    # The service is that of all tests here: another one's base deployment serves another model.
    own = given.deployment.model_copy(update={"base_name": "seeing-base"})
    settings = given.model_copy(update={"model": "gpt-4.1-2025-04-14", "deployment": own})
    outcome = drive_without_spark(settings, tmp_path / "journal")
    assert outcome.fine_tuned_model.startswith("gpt-4.1-2025-04-14.ft-")
    publish_lines(tmp_path / "blind" / "published", files)
    with pytest.raises(PlanRefusedError, match="mini-2025-04-14 does not see"):
        drive_without_spark(settings_for(tmp_path / "blind", url=service.url), tmp_path / "journal")
    with pytest.raises(BadRequestError, match="has images, which this model does not take"):
        _create(service, _upload(service, "\n".join(lines)), "supervised")


def _upload(service: Service, text: str) -> str:
    file = service.client.files.create(file=("lines.jsonl", text.encode()), purpose="fine-tune")
    return service.client.files.wait_for_processing(file.id, poll_interval=0.1).id


def _create(service: Service, file: str, kind: str, *, model: str = "gpt-4.1-mini-2025-04-14") -> None:
    service.client.fine_tuning.jobs.create(
        model=model,
        training_file=file,
        extra_body={"trainingType": "globalStandard", "method": {"type": kind, kind: {"hyperparameters": {}}}},
    )
