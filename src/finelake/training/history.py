"""What a job has told so far, and where it stands by that."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from openai.types.fine_tuning import FineTuningJob

from finelake.training.curves import Curves
from finelake.training.diagnosis.diagnose import diagnose
from finelake.training.diagnosis.finding import Finding
from finelake.training.epochs import auto_batch_size, auto_epochs
from finelake.training.events import Event, Measurement
from finelake.training.pace import Moment, seconds_left
from finelake.training.progress import JobReport

_BILLED = re.compile(r"tokens billed: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a job trains on: how many examples, and the tokens of one epoch (0 where not known)."""

    examples: int
    tokens: int = 0


class History:
    """Collects a job's events; `now` is the driver's steady clock in seconds."""

    def __init__(self, job_id: str, data: Trained, *, now: Callable[[], float]) -> None:
        self._job_id = job_id
        self._data = data
        self._now = now
        self._latest: Measurement | None = None
        self._measured: list[Measurement] = []
        self._moments: list[Moment] = []
        self._messages: list[str] = []
        self._billed: int | None = None
        self._arrived = now()
        self._findings: tuple[Finding, ...] = ()
        self._curves = Curves()

    @property
    def curves(self) -> Curves:
        """The losses so far."""
        return self._curves

    def take(self, fresh: Iterable[Event]) -> list[str]:
        """Take new events, oldest first, and give the messages among them that are no measurements."""
        notes = []
        for event in fresh:
            if event.measured is not None:
                self._take_measured(event, event.measured)
            else:
                notes.append(event.message)
                found = _BILLED.search(event.message)
                self._billed = int(found.group(1)) if found else self._billed
        self._messages += notes
        self._curves = Curves.of(self._measured)
        return notes

    def findings(self, job: FineTuningJob) -> tuple[Finding, ...]:
        """Say what the losses and the service's words mean."""
        said = getattr(getattr(job, "error", None), "message", None)
        return diagnose(self._curves, [*self._messages, *([str(said)] if said else [])])

    def report(self, job: FineTuningJob, *, elapsed: float) -> JobReport:
        """Say where the job stands; `elapsed` in seconds since the watch began."""
        latest, state = self._latest, str(job.status)
        steps, estimated = self._steps(job)
        billed = getattr(job, "trained_tokens", None)
        report = JobReport(
            self._job_id,
            state,
            elapsed,
            steps=steps,
            estimated=estimated,
            billed=billed if isinstance(billed, int) else self._billed,
            curves=self._curves,
            findings=self.findings(job),
        )
        if latest is None:
            return report
        return replace(
            report,
            step=latest.step,
            train_loss=latest.train_loss,
            valid_loss=latest.valid_loss,
            seconds_left=self._left(steps) if state == "running" else None,
            trained=round(self._tokens(job) * latest.step / steps) if steps and self._data.tokens else None,
        )

    def _take_measured(self, event: Event, measured: Measurement) -> None:
        self._measured.append(measured)
        self._moments.append((measured.step, event.created_at.timestamp()))
        if self._latest is None or measured.step >= self._latest.step:
            self._latest = _merged(self._latest, measured)
            self._arrived = self._now()

    def _left(self, steps: int | None) -> float | None:
        return seconds_left(self._moments, steps=steps, since_last=self._now() - self._arrived)

    def _steps(self, job: FineTuningJob) -> tuple[int | None, bool]:
        told = self._latest.steps if self._latest is not None else None
        known = told or expected_steps(job, examples=self._data.examples)
        if known is not None:
            return known, False
        guess = math.ceil(self._data.examples * self._epochs(job) / _batch(job, self._data.examples))
        reached = self._latest.step if self._latest is not None else 0
        return (guess, True) if reached <= guess else (None, False)

    def _epochs(self, job: FineTuningJob) -> int:
        return _chosen(job, "n_epochs") or auto_epochs(self._data.examples)

    def _tokens(self, job: FineTuningJob) -> int:
        return self._data.tokens * self._epochs(job)


def expected_steps(job: FineTuningJob, *, examples: int) -> int | None:
    """Compute a job's steps from its epochs and batch size; None while the service chooses (`auto`, -1)."""
    epochs, batch = _chosen(job, "n_epochs"), _chosen(job, "batch_size")
    return None if epochs is None or batch is None else math.ceil(examples * epochs / batch)


def _chosen(job: FineTuningJob, name: str) -> int | None:
    value: Any = getattr(getattr(job, "hyperparameters", None), name, None)
    return value if isinstance(value, int) and value >= 1 else None


def _batch(job: FineTuningJob, examples: int) -> int:
    return _chosen(job, "batch_size") or auto_batch_size(examples)


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
