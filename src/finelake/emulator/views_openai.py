"""Objects as OpenAI's own API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from finelake.emulator.catalogue import BaseModel
from finelake.emulator.files import FileRecord
from finelake.emulator.jobs import JobRecord
from finelake.emulator.wire import Json

_ORGANIZATION = "org-finelake-rehearsal"
_STATUS = {"resuming": "queued", "pausing": "running"}


def file_view(record: FileRecord, *, status: str) -> Json:
    """Show a file."""
    return {
        "id": record.id,
        "object": "file",
        "purpose": record.purpose,
        "filename": record.filename,
        "bytes": record.bytes,
        "created_at": int(record.created_at),
        "expires_at": None,
        "status": status,
        "status_details": record.details if status == "error" else None,
    }


def job_view(job: JobRecord, *, files_are_ready: bool) -> Json:
    """Show a job; it validates its files while they are not processed, and is queued after that."""
    spec, over = job.spec, job.status == "succeeded"
    waiting = "queued" if files_are_ready else "validating_files"
    hyperparameters = {
        "n_epochs": job.epochs or spec.epochs or "auto",
        "batch_size": job.batch_size or spec.batch_size or "auto",
        "learning_rate_multiplier": spec.learning_rate_multiplier or "auto",
    }
    if spec.method == "dpo":
        hyperparameters["beta"] = spec.beta or "auto"
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "status": waiting if job.status == "pending" else _STATUS.get(job.status, job.status),
        "model": spec.model,
        "fine_tuned_model": job.tuned_name if over else None,
        "training_file": spec.training_file,
        "validation_file": spec.validation_file,
        "created_at": int(job.created_at),
        "finished_at": None if job.finished_at is None else int(job.finished_at),
        "estimated_finish": None,
        "hyperparameters": hyperparameters,
        "method": {"type": spec.method, spec.method: {"hyperparameters": hyperparameters}},
        "result_files": [job.result_file] if over else [],
        "trained_tokens": job.billed_tokens if over else None,
        "seed": spec.seed,
        "user_provided_suffix": spec.suffix,
        "organization_id": _ORGANIZATION,
        "integrations": [],
        "metadata": spec.metadata,
        "error": job.error or {},
        "usage_metrics": None,
        "shared_with_openai": False,
    }


def models_view(tuned: list[tuple[str, str, float]], bases: Sequence[BaseModel]) -> Json:
    """List base models and tuned ones."""
    data: list[Json] = [model_view(name, created=made, owner=_ORGANIZATION) for name, _, made in tuned]
    data += [model_view(model.id, created=0.0, owner="system") for model in bases]
    return {"object": "list", "data": data}


def model_view(name: str, *, created: float, owner: str) -> Json:
    """Show one model."""
    return {"id": name, "object": "model", "created": int(created), "owned_by": owner}
