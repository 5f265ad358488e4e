"""Watching a job until it ends, through cut connections, throttling and states that no list names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openai.types.fine_tuning import FineTuningJob

from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.training.diagnosis.finding import Finding
from finelake.training.effects.control import ENDED, control_job
from finelake.training.effects.stop import STOPPED, EarlyStopper
from finelake.training.events import Event, EventStream
from finelake.training.history import History, Trained
from finelake.training.patience import Patience
from finelake.training.progress import Progress

_LAST_LOOKS = 3


@dataclass(frozen=True, slots=True)
class WatchedJob:
    """A job that ended, with all its events, oldest first, what they mean, and why finelake stopped it if it did."""

    job: FineTuningJob
    events: tuple[Event, ...]
    findings: tuple[Finding, ...] = ()
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """How many seconds a job may take, those that earlier starts watched included, and what happens then."""

    seconds: float
    then: Literal["leave", "pause", "cancel"] = "leave"
    watched_before: float = 0.0


@dataclass(frozen=True, slots=True)
class _Watch:
    """What one watch works with."""

    service: FineTuningService
    job_id: str
    stream: EventStream
    history: History
    patience: Patience
    progress: Progress
    began: float

    def look(self) -> FineTuningJob:
        """Take new events, tell the observer, and give the job."""
        job = self.patience.ask(
            lambda: self.service.job(self.job_id), action=f"asking for job {self.job_id}", fresh=True
        )
        self.take()
        self.progress.job_changed(self.history.report(job, elapsed=self.elapsed))
        return job

    def take(self) -> bool:
        """Take new events and pass them on; tells whether there were any."""
        fresh = self.stream.take_new()
        if fresh:
            self.progress.told(fresh)
        for message in self.history.take(fresh):
            self.progress.noted(message)
        return bool(fresh)

    @property
    def elapsed(self) -> float:
        return self.patience.clock.now() - self.began


def watch_job(
    service: FineTuningService,
    job_id: str,
    *,
    data: Trained,
    deadline: Deadline,
    patience: Patience,
    progress: Progress,
    stopper: EarlyStopper | None = None,
) -> WatchedJob:
    """Look at a job until it succeeded, failed, was cancelled, or `stopper` stopped it.

    Unknown states are waited out, and so is a pause that others asked for. Raises ServiceError when the deadline
    passes; the job goes on, or is paused or cancelled, as the deadline says.
    """
    now = patience.clock.now
    watch = _Watch(
        service,
        job_id,
        EventStream(service, job_id, patience=patience),
        History(job_id, data, now=now),
        patience,
        progress,
        began=now() - deadline.watched_before,
    )
    while True:
        job = watch.look()
        stopped = stopper.reason if stopper is not None else None
        if str(job.status) in ENDED or (stopped is not None and str(job.status) in STOPPED):
            _take_late_events(watch)
            progress.job_changed(watch.history.report(job, elapsed=watch.elapsed))
            return WatchedJob(job, tuple(watch.stream.all), watch.history.findings(job), stopped)
        reason = stopper.look(watch.history.curves) if stopper is not None else None
        if reason is not None:
            progress.noted(f"job {job_id} is stopped early: {reason}")
        if watch.elapsed > deadline.seconds:
            raise _passed(watch, str(job.status), deadline)
        patience.clock.sleep(patience.pause)


def _passed(watch: _Watch, state: str, deadline: Deadline) -> ServiceError:
    said = f"Job {watch.job_id} is still {state} after {watch.elapsed / 3600:.1f} hours, the limit of "
    said += "training.deadline_hours. "
    if deadline.then == "leave":
        return ServiceError(
            f"{said}It goes on at the service: raise the limit and run the same again to watch it, or end it with "
            f"`finelake cancel`."
        )
    state = control_job(watch.service, watch.job_id, control=deadline.then, patience=watch.patience)
    return ServiceError(f"{said}It was asked to {deadline.then} (training.at_deadline) and is {state} now.")


def _take_late_events(watch: _Watch) -> None:
    # Safety evaluation and billing are reported after "Job succeeded.".
    for _ in range(_LAST_LOOKS):
        watch.patience.clock.sleep(watch.patience.pause)
        if not watch.take():
            return
