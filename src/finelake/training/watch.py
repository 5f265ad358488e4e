"""Watching a job until it ends, through cut connections, throttling and states that no list names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from openai.types.fine_tuning import FineTuningJob

from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.training.effects.control import control_job
from finelake.training.events import Event, EventStream, Measurement
from finelake.training.patience import Patience
from finelake.training.progress import JobReport, Progress

_TERMINAL = {"succeeded", "failed", "cancelled"}
_LAST_LOOKS = 3


@dataclass(frozen=True, slots=True)
class WatchedJob:
    """A job that ended, with all its events, oldest first."""

    job: FineTuningJob
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Deadline:
    """How many seconds a job may take, those that earlier starts watched included, and what happens then."""

    seconds: float
    then: Literal["leave", "pause", "cancel"] = "leave"
    watched_before: float = 0.0


def watch_job(
    service: FineTuningService,
    job_id: str,
    *,
    examples: int,
    deadline: Deadline,
    patience: Patience,
    progress: Progress,
) -> WatchedJob:
    """Look at a job until it succeeded, failed or was cancelled; `examples` of the training file tell its steps.

    Unknown states are waited out, and so is a pause. Raises ServiceError when the deadline passes; the job goes on,
    or is paused or cancelled, as the deadline says.
    """
    clock = patience.clock
    began = clock.now() - deadline.watched_before
    stream = EventStream(service, job_id, patience=patience)
    latest: Measurement | None = None
    while True:
        job = patience.ask(lambda: service.job(job_id), action=f"asking for job {job_id}", fresh=True)
        latest = _tell_events(stream.take_new(), latest, progress)
        elapsed = clock.now() - began
        progress.job_changed(_report(job_id, job, latest, elapsed=elapsed, examples=examples))
        if str(job.status) in _TERMINAL:
            _take_late_events(stream, patience, latest, progress)
            return WatchedJob(job=job, events=tuple(stream.all))
        if elapsed > deadline.seconds:
            raise _passed(service, job_id, str(job.status), elapsed=elapsed, deadline=deadline, patience=patience)
        clock.sleep(patience.pause)


def _passed(
    service: FineTuningService, job_id: str, state: str, *, elapsed: float, deadline: Deadline, patience: Patience
) -> ServiceError:
    said = f"Job {job_id} is still {state} after {elapsed / 3600:.1f} hours, the limit of training.deadline_hours. "
    if deadline.then == "leave":
        return ServiceError(
            f"{said}It goes on at the service: raise the limit and run the same again to watch it, or end it with "
            f"`finelake cancel`."
        )
    state = control_job(service, job_id, control=deadline.then, patience=patience)
    return ServiceError(f"{said}It was asked to {deadline.then} (training.at_deadline) and is {state} now.")


def expected_steps(job: FineTuningJob, *, examples: int) -> int | None:
    """Compute a job's steps from its epochs and batch size; None while the service chooses (`auto`, -1)."""
    chosen: Any = getattr(job, "hyperparameters", None)
    epochs, batch = getattr(chosen, "n_epochs", None), getattr(chosen, "batch_size", None)
    if not isinstance(epochs, int) or not isinstance(batch, int) or epochs < 1 or batch < 1:
        return None
    return math.ceil(examples * epochs / batch)


def _take_late_events(stream: EventStream, patience: Patience, latest: Measurement | None, progress: Progress) -> None:
    # Safety evaluation and billing are reported after "Job succeeded.".
    for _ in range(_LAST_LOOKS):
        patience.clock.sleep(patience.pause)
        fresh = stream.take_new()
        if not fresh:
            return
        latest = _tell_events(fresh, latest, progress)


def _tell_events(fresh: list[Event], latest: Measurement | None, progress: Progress) -> Measurement | None:
    for event in fresh:
        if event.measured is None:
            progress.noted(event.message)
        elif latest is None or event.measured.step >= latest.step:
            latest = _merged(latest, event.measured)
    return latest


def _merged(before: Measurement | None, now: Measurement) -> Measurement:
    """Keep the last known validation loss: most steps measure the training loss only."""
    if before is None:
        return now
    return Measurement(
        step=now.step,
        steps=now.steps or before.steps,
        train_loss=before.train_loss if now.train_loss is None else now.train_loss,
        valid_loss=before.valid_loss if now.valid_loss is None else now.valid_loss,
    )


def _report(job_id: str, job: FineTuningJob, latest: Measurement | None, *, elapsed: float, examples: int) -> JobReport:
    steps = latest.steps if latest is not None else None
    return JobReport(
        job_id=job_id,
        state=str(job.status),
        elapsed=elapsed,
        step=latest.step if latest is not None else None,
        steps=steps or expected_steps(job, examples=examples),
        train_loss=latest.train_loss if latest is not None else None,
        valid_loss=latest.valid_loss if latest is not None else None,
    )
