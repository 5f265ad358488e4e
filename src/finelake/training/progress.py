"""What an observer of a training run is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from finelake.training.curves import Curves
from finelake.training.diagnosis.finding import Finding
from finelake.training.events import Event


@dataclass(frozen=True, slots=True)
class JobReport:
    """Where a fine-tuning job stands. `elapsed` in seconds since the watch began; losses in nats a token.

    `step` and `steps` are None until they are known, losses until they are measured; `estimated` marks `steps` that
    come from a rule while the service keeps its choice to itself. `seconds_left` is measured on the job's own steps.
    `billed` are the tokens that the service bills once it says so, `trained` an estimate of those trained so far.
    """

    job_id: str
    state: str
    elapsed: float
    step: int | None = None
    steps: int | None = None
    train_loss: float | None = None
    valid_loss: float | None = None
    estimated: bool = False
    seconds_left: float | None = None
    billed: int | None = None
    trained: int | None = None
    curves: Curves = field(default_factory=Curves)
    findings: tuple[Finding, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to the job."""
        return self.state in {"succeeded", "failed", "cancelled"}


class Progress:
    """An observer that ignores everything; override what you want to see."""

    def started(self, step: str, detail: str) -> None:
        """A step of the driver begins."""

    def finished(self, step: str, detail: str) -> None:
        """A step is done and recorded, now or in an earlier start of the same run."""

    def noted(self, message: str) -> None:
        """Something worth a line happened."""

    def told(self, events: Sequence[Event]) -> None:
        """New events of the job came in, oldest first."""

    def job_changed(self, report: JobReport) -> None:
        """The job was looked at."""

    def deployment_changed(self, name: str, state: str) -> None:
        """A deployment was looked at."""


class Several(Progress):
    """Tells several observers, in order."""

    def __init__(self, *observers: Progress) -> None:
        self._observers = observers

    def started(self, step: str, detail: str) -> None:
        """Tell that a step begins."""
        for one in self._observers:
            one.started(step, detail)

    def finished(self, step: str, detail: str) -> None:
        """Tell that a step is done."""
        for one in self._observers:
            one.finished(step, detail)

    def noted(self, message: str) -> None:
        """Tell a line."""
        for one in self._observers:
            one.noted(message)

    def told(self, events: Sequence[Event]) -> None:
        """Pass new events on."""
        for one in self._observers:
            one.told(events)

    def job_changed(self, report: JobReport) -> None:
        """Pass on where the job stands."""
        for one in self._observers:
            one.job_changed(report)

    def deployment_changed(self, name: str, state: str) -> None:
        """Pass on where a deployment stands."""
        for one in self._observers:
            one.deployment_changed(name, state)
