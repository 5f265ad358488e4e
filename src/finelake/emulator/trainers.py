"""Who trains a job: a process with the real model where its weights are here, else the rehearsal."""

from __future__ import annotations

from typing import Protocol

from finelake.emulator.jobs import JobRecord
from finelake.emulator.registry import ModelRegistry


class JobTrainer(Protocol):
    """Trains jobs."""

    def run(self, job: JobRecord) -> None:
        """Train a job until it ends, is paused or cancelled, or the service stops; started again, it goes on."""


class Trainers:
    """Choose the trainer by the job's base model."""

    def __init__(self, *, models: ModelRegistry, rehearsal: JobTrainer, transformers: JobTrainer) -> None:
        self._models = models
        self._rehearsal = rehearsal
        self._transformers = transformers

    def run(self, job: JobRecord) -> None:
        """Train a job."""
        known = self._models.find(job.plane, job.spec.model)
        real = known is not None and known.base.source is not None
        (self._transformers if real else self._rehearsal).run(job)
