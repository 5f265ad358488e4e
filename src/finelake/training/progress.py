"""What an observer of a training run is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobReport:
    """Where a fine-tuning job stands. `elapsed` in seconds since the watch began; losses in nats a token.

    `step` and `steps` are None until the service says them, losses until they are measured.
    """

    job_id: str
    state: str
    elapsed: float
    step: int | None = None
    steps: int | None = None
    train_loss: float | None = None
    valid_loss: float | None = None


class Progress:
    """An observer that ignores everything; override what you want to see."""

    def started(self, step: str, detail: str) -> None:
        """A step of the driver begins."""

    def finished(self, step: str, detail: str) -> None:
        """A step is done and recorded, now or in an earlier start of the same run."""

    def noted(self, message: str) -> None:
        """Something worth a line happened."""

    def job_changed(self, report: JobReport) -> None:
        """The job was looked at."""

    def deployment_changed(self, name: str, state: str) -> None:
        """A deployment was looked at."""
