"""Where the weights of a model lie: of a base model, of a tuned one, of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from finelake.emulator.jobs import JobService
from finelake.emulator.registry import KnownModel, ModelRegistry
from finelake.emulator.transformer.folder import TrainingFolder
from finelake.emulator.wire import Plane

ADAPTER = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class Weights:
    """What is loaded: a model, and an adapter on it where the tuning made one."""

    source: str
    adapter: str | None = None


class WeightFinder:
    """Find the weights of models that jobs of this service made, and of their base models."""

    def __init__(self, *, jobs: JobService, models: ModelRegistry) -> None:
        self._jobs = jobs
        self._models = models

    def find(self, plane: Plane, model: KnownModel) -> Weights:
        """Give a model's weights. Raises ValueError for a model without any."""
        if model.job_id is None or model.step is None:
            if model.base.source is None:
                raise ValueError(f"{model.name} has no weights here")
            return Weights(model.base.source)
        job, folder = self._jobs.get(plane, model.job_id), TrainingFolder(self._jobs.folder(model.job_id))
        last = job.status == "succeeded" and model.step == job.total_steps
        place = folder.model if last else folder.checkpoint(model.step)
        if not (place / ADAPTER).exists():
            return Weights(str(place))
        parent = self._models.require(plane, job.spec.model)
        return Weights(self.find(plane, parent).source, str(place))
