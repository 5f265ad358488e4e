"""Cancel, pause and resume beside a driver, deadlines, quota in words, and what failed runs left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from tests.http.training.file_journal import FileJournal, Moments
from tests.http.training.front import Reply, front_of, once_each
from tests.http.training.setting import (
    KEY,
    KEY_VARIABLE,
    MODEL,
    Service,
    publish_examples,
    running_service,
    settings_for,
)

from finelake.errors import RunBusyError, ServiceError
from finelake.services.base import FineTuningService
from finelake.services.connect import connect
from finelake.services.deployed import Deployed, ModelAddress, Target
from finelake.training.clean import Cleaning
from finelake.training.clock import Clock
from finelake.training.curves import Curves
from finelake.training.deploy import lifetime
from finelake.training.effects.control import control_job
from finelake.training.effects.deployment import DeploymentEffect
from finelake.training.effects.log import EffectLog
from finelake.training.effects.stop import EarlyStopper
from finelake.training.history import Trained
from finelake.training.patience import Patience
from finelake.training.progress import Progress
from finelake.training.watch import Deadline, watch_job

pytestmark = pytest.mark.http


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service whose jobs train for a good while, shared by the tests of this module."""
    with running_service(tmp_path_factory.mktemp("service"), training_seconds=300.0, quota=100) as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service's key where the settings look for it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


@pytest.fixture
def connected(service: Service, tmp_path: Path) -> Iterator[FineTuningService]:
    """The service as the driver sees it."""
    with connect(settings_for(tmp_path, url=service.url).service) as found:
        yield found


def patience(service: FineTuningService) -> Patience:
    return Patience(service.contact, Clock(), 0.1)


def log_of(folder: Path, run: str) -> EffectLog:
    return EffectLog(
        FileJournal(folder / "journals", run_id=run, moment=Moments(None)), clock=Clock(), lease_seconds=600.0
    )


def file_of(service: Service, folder: Path, name: str) -> str:
    publish_examples(folder / name, salt=name)
    with (folder / name / "train.jsonl").open("rb") as stream:
        file_id = service.client.files.create(file=(f"{name}.jsonl", stream), purpose="fine-tune").id
    service.client.files.wait_for_processing(file_id, poll_interval=0.1)
    return file_id


def running_job(service: Service, folder: Path) -> str:
    """Create a job and wait until it has done a step."""
    job = service.client.fine_tuning.jobs.create(
        model=MODEL, training_file=file_of(service, folder, folder.name), extra_body={"trainingType": "globalStandard"}
    )
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if any(event.type == "metrics" for event in service.client.fine_tuning.jobs.list_events(job.id).data):
            return job.id
        time.sleep(0.05)
    raise AssertionError("the job did no step")


def state_of(service: Service, job_id: str, *states: str) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = str(service.client.fine_tuning.jobs.retrieve(job_id).status)
        if state in states:
            return state
        time.sleep(0.05)
    raise AssertionError(f"{job_id} did not become {states}")


def test_a_job_is_paused_resumed_and_cancelled_although_answers_get_lost(service: Service, tmp_path: Path) -> None:
    job_id = running_job(service, tmp_path)
    troubles = once_each(("POST", "/pause", Reply(0)), ("POST", "/resume", Reply(503)), ("POST", "/cancel", Reply(0)))
    with front_of(service.url, troubles) as front, connect(settings_for(tmp_path, url=front.url).service) as connected:
        patient = patience(connected)
        assert control_job(connected, job_id, control="pause", patience=patient) in {"pausing", "paused"}
        assert state_of(service, job_id, "paused")
        assert control_job(connected, job_id, control="resume", patience=patient) in {"resuming", "pending", "running"}
        assert control_job(connected, job_id, control="cancel", patience=patient) == "cancelled"
        assert control_job(connected, job_id, control="cancel", patience=patient) == "cancelled"
        with pytest.raises(ServiceError, match="has cancelled already, so there is nothing to pause"):
            control_job(connected, job_id, control="pause", patience=patient)


@pytest.mark.parametrize(("then", "state"), [("leave", "running"), ("pause", "paused"), ("cancel", "cancelled")])
def test_a_deadline_does_what_the_settings_say(
    service: Service,
    connected: FineTuningService,
    tmp_path: Path,
    then: Literal["leave", "pause", "cancel"],
    state: str,
) -> None:
    job_id = running_job(service, tmp_path)
    deadline = Deadline(3600.0, then, watched_before=3599.9)
    with pytest.raises(ServiceError, match=r"after 1\.0 hours, the limit of training\.deadline_hours"):
        watch_job(
            connected, job_id, data=Trained(24), deadline=deadline, patience=patience(connected), progress=Progress()
        )
    assert state_of(service, job_id, state) == state
    if state != "cancelled":
        service.client.fine_tuning.jobs.cancel(job_id)


def test_a_stop_that_was_written_down_is_carried_out_by_the_next_driver_once(
    service: Service, connected: FineTuningService, tmp_path: Path
) -> None:
    job_id = running_job(service, tmp_path)
    dead = log_of(tmp_path, "stopping")
    dead.acquire()
    dead.record_intent("early_stop", {"job_id": job_id, "then": "pause", "reason": "It learns nothing."})
    dead.release()

    def stopper() -> EarlyStopper:
        log = log_of(tmp_path, "stopping")
        log.acquire()
        return EarlyStopper(connected, job_id, config=None, log=log, patience=patience(connected))

    first = log_of(tmp_path, "stopping")
    first.acquire()
    next_one = EarlyStopper(connected, job_id, config=None, log=first, patience=patience(connected))
    assert next_one.look(Curves()) == "It learns nothing."
    assert state_of(service, job_id, "paused") == "paused"
    service.client.fine_tuning.jobs.resume(job_id)
    assert next_one.look(Curves()) is None
    first.release()
    assert stopper().look(Curves()) is None
    assert state_of(service, job_id, "running") == "running"
    service.client.fine_tuning.jobs.cancel(job_id)


def test_a_quota_error_names_who_holds_it(connected: FineTuningService, tmp_path: Path) -> None:
    deployments, log = connected.deployments, log_of(tmp_path, "run")
    assert deployments is not None
    log.acquire()
    for name, capacity, fails in (("first", 80, False), ("second", 50, True)):
        model = ModelAddress(format="OpenAI", name="gpt-4.1-mini", version="2025-04-14")
        effect = DeploymentEffect(
            deployments=deployments,
            target=Target(name=name, model=model, sku="GlobalStandard", capacity=capacity),
            key="deploy",
            may_replace=False,
            log=log,
            patience=patience(connected),
            progress=Progress(),
        )
        deadline = effect.patience.clock.now() + 30
        if fails:
            with pytest.raises(ServiceError, match=r"InsufficientQuota.*hold some: first \(80\).*asked for: 50"):
                effect.ensure(deadline=deadline)
        else:
            effect.ensure(deadline=deadline)


def test_lives_of_deployments_are_known() -> None:
    made = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
    tuned = "gpt-4.1-mini-2025-04-14.ft-1234"
    ends, words = lifetime(Deployed("a", tuned, "1", "Succeeded", "DeveloperTier", 1, made))
    assert ends == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
    assert "2026-11-23 16:00 UTC" in words
    assert "15 days" in lifetime(Deployed("a", tuned, "1", "Succeeded", "GlobalStandard", 1, made))[1]
    assert lifetime(Deployed("a", "gpt-4.1-mini", "1", "Succeeded", "GlobalStandard", 1, made)) == (
        None,
        "stays until it is deleted",
    )


def test_what_failed_runs_left_is_listed_then_removed_and_nothing_else(
    service: Service, connected: FineTuningService, tmp_path: Path
) -> None:
    files = {name: file_of(service, tmp_path, name) for name in ("shared", "failed", "alive")}
    failed, finished, going = (log_of(tmp_path, name) for name in ("failed", "finished", "going"))
    for log in (failed, finished, going):
        log.acquire()
    failed.record_result("upload", {"train": files["failed"], "validation": files["shared"]})
    finished.record_result("upload", {"train": files["shared"]})
    finished.record_result("smoke", {})
    going.record_result("upload", {"train": files["alive"]})
    going.record_intent("job", {})
    for log in (failed, finished, going):
        log.release()

    def cleaning() -> Cleaning:
        logs = [log_of(tmp_path, name) for name in ("failed", "finished", "going")]
        return Cleaning(connected, patience(connected), logs)

    first = cleaning()
    found = first.left_overs()
    assert [(one.run_id, one.kind, one.name) for one in found] == [
        ("failed", "file", files["failed"]),
        ("going", "job", "not recorded"),
    ]
    assert files["failed"] in {file.id for file in service.client.files.list().data}
    first.remove(found, timeout_seconds=30.0)
    left = {file.id for file in service.client.files.list().data}
    assert files["failed"] not in left
    assert {files["shared"], files["alive"]} <= left
    assert [one.kind for one in cleaning().left_overs()] == ["job"]
    assert log_of(tmp_path, "failed").result("upload") is None


def test_a_run_that_a_driver_took_meanwhile_is_not_cleaned(
    service: Service, connected: FineTuningService, tmp_path: Path
) -> None:
    file_id = file_of(service, tmp_path, "busy")
    before = log_of(tmp_path, "busy")
    before.acquire()
    before.record_result("upload", {"train": file_id})
    before.release()
    cleaning = Cleaning(connected, patience(connected), [log_of(tmp_path, "busy")])
    found = cleaning.left_overs()
    log_of(tmp_path, "busy").acquire()
    with pytest.raises(RunBusyError):
        cleaning.remove(found, timeout_seconds=30.0)
    assert file_id in {file.id for file in service.client.files.list().data}
