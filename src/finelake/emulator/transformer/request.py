"""What a training process is asked to do: a job of the service in the process's words."""

from __future__ import annotations

from finelake.emulator.jobs import JobRecord, JobService
from finelake.emulator.registry import ModelRegistry
from finelake.emulator.transformer.weights import WeightFinder
from finelake.emulator.wire import Json

_METHODS = {"supervised": "sft", "dpo": "dpo"}


def training_request(job: JobRecord, jobs: JobService, models: ModelRegistry) -> Json:
    """Give `job.json`; a tuned model is trained further from its own weights. Raises ValueError when these are gone."""
    known = models.find(job.plane, job.spec.model)
    if known is None:
        raise ValueError("the base model of the job is gone")
    weights = WeightFinder(jobs=jobs, models=models).find(job.plane, known)
    validation = jobs.validation_path(job.id)
    asked = job.spec.transformers or {}
    return {
        "model": {"source": weights.source} | ({"adapter": weights.adapter} if weights.adapter else {}),
        "data": {
            "train": str(jobs.training_path(job.id)),
            "validation": str(validation) if validation.exists() else None,
        },
        "method": _METHODS[job.spec.method],
        "tuning": asked.get("tuning", "full"),
        "hyperparameters": {**_chosen(job), **asked.get("hyperparameters", {})},
        "processes": asked.get("processes", 1),
    }


def _chosen(job: JobRecord) -> Json:
    """Give the hyperparameters that every service takes; what was left to the service is left to the process."""
    spec = job.spec
    values = {
        "epochs": spec.epochs,
        "batch_size": spec.batch_size,
        "learning_rate_multiplier": spec.learning_rate_multiplier,
        "beta": spec.beta,
        "seed": spec.seed,
    }
    return {name: value for name, value in values.items() if value is not None}
