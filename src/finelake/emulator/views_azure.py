"""Objects as the Azure data plane shows them."""

from __future__ import annotations

from collections.abc import Sequence

from finelake.emulator.catalogue import BaseModel
from finelake.emulator.files import FileRecord
from finelake.emulator.jobs import TERMINAL, JobRecord
from finelake.emulator.lessons import DEFAULT_BETA
from finelake.emulator.wire import Json, without_nulls

_PROMISED_SECONDS = 25 * 3600


def file_view(record: FileRecord, *, status: str) -> Json:
    """Show a file; size and details appear when it was checked."""
    checked = status in ("processed", "error")
    return without_nulls(
        {
            "id": record.id,
            "object": "file",
            "purpose": record.purpose,
            "filename": record.filename,
            "bytes": record.bytes if checked else None,
            "created_at": int(record.created_at),
            "status": status,
            "status_details": record.details if status == "error" else None,
        }
    )


def job_view(job: JobRecord, *, base: BaseModel | None) -> Json:
    """Show a job tuned from `base`; keys without a value are null for some jobs, left out for others, as there."""
    spec, over = job.spec, job.status == "succeeded"
    rate = spec.learning_rate_multiplier or (base.learning_rate_multiplier if base else 1.0)
    hyperparameters = {
        "n_epochs": spec.epochs or -1,
        "batch_size": spec.batch_size or -1,
        "learning_rate_multiplier": rate,
    }
    if spec.method == "dpo":
        hyperparameters["beta"] = spec.beta or DEFAULT_BETA
    view: Json = {
        "id": job.id,
        "object": "fine_tuning.job",
        "status": job.status,
        "model": spec.model,
        "fine_tuned_model": job.tuned_name if over else None,
        "training_file": spec.training_file,
        "validation_file": spec.validation_file,
        "created_at": int(job.created_at),
        "finished_at": None if job.finished_at is None else int(job.finished_at),
        "estimated_finish": int(job.created_at) + _PROMISED_SECONDS,
        "hyperparameters": hyperparameters,
        "method": {"type": spec.method, spec.method: {"hyperparameters": hyperparameters}}
        if spec.method_sent
        else None,
        "result_files": [job.result_file] if over else None,
        "trained_tokens": job.billed_tokens if over else None,
        "seed": spec.seed,
        "suffix": spec.suffix,
        "trainingType": spec.training_type,
        "organization_id": None,
        "integrations": None,
        "metadata": spec.metadata,
        "error": job.error,
    }
    leaves_out = job.seq % 2 == 0 and job.status not in TERMINAL
    return without_nulls(view) if leaves_out else view


def models_view(tuned: list[tuple[str, str, float]], bases: Sequence[BaseModel]) -> Json:
    """List base models and tuned ones."""
    data: list[Json] = [
        {
            "id": name,
            "object": "model",
            "status": "succeeded",
            "model": base,
            "lifecycle_status": "generally-available",
            "created_at": int(made),
            "capabilities": {"fine_tune": True, "inference": True, "chat_completion": True},
        }
        for name, base, made in tuned
    ]
    data += [
        {
            "id": model.id,
            "object": "model",
            "status": "succeeded",
            "lifecycle_status": "generally-available",
            "created_at": 0,
            "capabilities": {"fine_tune": True, "inference": True, "chat_completion": True},
        }
        for model in bases
    ]
    return {"object": "list", "data": data}
