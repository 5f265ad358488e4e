"""What a training process is asked to do: a job of the service in the process's words."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from finelake.config.local_service import LocalService
from finelake.emulator.errors import ApiError
from finelake.emulator.jobspec import JobSpec
from finelake.emulator.transformer.weights import Weights
from finelake.emulator.wire import Json
from finelake.huggingface.job import Job

_METHODS = {"supervised": "sft", "dpo": "dpo"}
_BESIDE = ("checkpoint_steps", "keep_checkpoints", "processes", "spread")


def training_request(spec: JobSpec, *, weights: Weights, train: Path, validation: Path | None) -> Json:
    """Give `job.json`; ApiError 400 that names what the training process would not take."""
    try:
        own = LocalService.model_validate({"models": {"any": ""}, **(spec.transformers or {})})
        job = Job.model_validate(_asked(spec, own, weights, train, validation))
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
        raise ApiError(400, "invalidPayload", f"transformers: {found}", param="transformers") from None
    asked: Json = job.model_dump(mode="json")
    return asked


def _asked(spec: JobSpec, own: LocalService, weights: Weights, train: Path, validation: Path | None) -> Json:
    """Put together a job; what was left to the service is left to the section's own defaults."""
    general = {
        "epochs": spec.epochs,
        "batch_size": spec.batch_size,
        "learning_rate_multiplier": spec.learning_rate_multiplier,
        "beta": spec.beta,
        "seed": spec.seed,
    }
    chosen = {name: value for name, value in general.items() if value is not None}
    if own.shards is not None:
        train, validation = Path(own.shards), None if validation is None else Path(own.shards)
    longest = min(own.context, own.hyperparameters.max_length)
    return {
        "model": {"source": weights.source, "adapter": weights.adapter},
        "data": {"train": str(train), "validation": None if validation is None else str(validation)},
        "method": _METHODS[spec.method],
        "tuning": own.tuning,
        "hyperparameters": own.hyperparameters.model_dump(mode="json") | chosen | {"max_length": longest},
        **own.model_dump(mode="json", include=set(_BESIDE)),
    }
