"""The plan against a real service: what is there counts, a breach is refused before anything is uploaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.http.training.setting import (
    KEY,
    KEY_VARIABLE,
    Service,
    driver_environment,
    publish_examples,
    running_service,
    settings_for,
)
from tests.http.training.sparkless import drive_without_spark

from finelake.config.settings import Settings
from finelake.errors import PlanRefusedError
from finelake.training.plan.finding import Finding
from finelake.training.plan.make import JobPlan
from finelake.training.plan.run import plan_job
from finelake.training.progress import Progress

pytestmark = pytest.mark.http


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of this module."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service's key where the settings look for it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


class Told(Progress):
    """Keeps the steps that were finished, with what was said of them."""

    def __init__(self) -> None:
        self.steps: dict[str, str] = {}

    def finished(self, step: str, detail: str) -> None:
        self.steps[step] = detail


def only(plan: JobPlan, check: str) -> Finding:
    """Give the first finding of a check."""
    return next(one for _, one in plan.findings if one.check == check)


@pytest.mark.parametrize("api", ["v1", "dated"])
def test_what_is_at_the_service_and_the_resource_is_read(service: Service, tmp_path: Path, api: str) -> None:
    publish_examples(tmp_path / "published", train=60, salt=api)
    settings = settings_for(tmp_path, url=service.url, service={"api": api})
    before = only(plan_job(settings), "files").found
    there = int(before.split()[0])
    told = Told()
    outcome = drive_without_spark(settings, tmp_path / "journal", progress=told)
    assert list(told.steps)[:2] == ["plan", "upload"]
    assert f"{plan_job(settings).reckoning.billed} tokens, price unknown" in told.steps["plan"]
    plan = plan_job(settings)
    plan.require()
    assert only(plan, "files").found == f"{there + 2} files there, 0 to come"
    assert [file.uploaded for file in plan.files] == [True, True]
    assert outcome.job_id in only(plan, "own_job").found
    assert "keeps its capacity" in only(plan, "deployment_quota").found
    assert "1 there, " in only(plan, "tuned_deployments").found or api == "dated"
    assert only(plan, "training_retirement").source.startswith("Azure Resource Manager")
    assert plan.counts["refuse"] == 0


def test_openai_has_no_limits_that_a_source_gives(service: Service, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published", train=60)
    address = {"kind": "openai", "endpoint": f"{service.url}/v1"}
    plan = plan_job(settings_for(tmp_path, url=service.url, service=address))
    plan.require()
    checks = {one.check for _, one in plan.findings}
    assert {"method", "examples", "tokens_times_epochs"} <= checks
    assert checks.isdisjoint({"files", "jobs", "deployment_quota", "roles", "service_read"})


def refused(settings: Settings, folder: Path) -> str:
    """Give the message of a run that its plan refuses."""
    with pytest.raises(PlanRefusedError) as caught:
        drive_without_spark(settings, folder)
    return str(caught.value)


def test_a_refused_run_uploads_nothing_and_starts_when_the_cause_is_gone(service: Service, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published", salt="refused")
    before, jobs = service.file_names(), service.jobs()
    greedy = settings_for(tmp_path, url=service.url, deployment={"capacity": 5000})
    message = refused(greedy, tmp_path / "journal")
    assert "refused by deployment_quota" in message
    assert "5,000 thousand tokens a minute" in message
    assert (service.file_names(), service.jobs()) == (before, jobs)
    modest = settings_for(tmp_path, url=service.url)
    assert drive_without_spark(modest, tmp_path / "journal").job_id in service.jobs()


def test_a_run_that_has_its_job_is_not_planned_again(service: Service, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published", salt="once")
    settings = settings_for(tmp_path, url=service.url)

    class Stopped(Progress):
        def started(self, step: str, detail: str) -> None:
            if step == "watch":
                raise KeyboardInterrupt(detail)

    with pytest.raises(KeyboardInterrupt):
        drive_without_spark(settings, tmp_path / "journal", progress=Stopped())
    told = Told()
    greedy = settings_for(tmp_path, url=service.url, plan={"personal_sample": 1, "budget": 0.001})
    drive_without_spark(greedy, tmp_path / "journal", progress=told)
    assert "plan" not in told.steps
    assert "deploy" in told.steps


def test_the_command_ends_with_its_own_code_and_names_the_breach(service: Service, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published", train=9)
    settings = settings_for(tmp_path, url=service.url)
    (tmp_path / "finelake.json").write_text(settings.model_dump_json(exclude_unset=True), encoding="utf-8")
    command = [sys.executable, "-m", "finelake", "plan", "--config", str(tmp_path / "finelake.json")]
    ended = subprocess.run([*command, "--json"], env=driver_environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 12, ended.stderr
    plan = json.loads(ended.stdout)["plan"]
    assert plan["verdict"] == "refuse"
    assert [one["check"] for one in plan["findings"] if one["verdict"] == "refuse"] == ["examples"]
    shown = subprocess.run(
        [*command, "--set", "plan.accept=[examples]"],
        env=driver_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "Nothing stands against it" in shown.stdout
