"""Names that are derived from what is trained, so that a second start finds what the first one made."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from finelake.config.models import ModelInfo
from finelake.config.settings import Settings
from finelake.services.deployed import ModelAddress
from finelake.services.identity import service_identity
from finelake.training.data import DataFile, TrainingData

LONGEST_NAME = 64
"""The most characters of a deployment's name on Azure."""

_RUN_ID_DIGITS = 16
_DATED = re.compile(r"\A(?P<name>.+?)-(?P<version>\d{4}-\d{2}-\d{2}|\d{4})\Z")
_NOT_IN_IDENTITY = {
    "poll_seconds",
    "deadline_hours",
    "at_deadline",
    "suffix",
    "parts_above_megabytes",
    "part_megabytes",
    "import_from",
    "lease_seconds",
    "early_stop",
}


# Settings that came later: left at their default, they leave the ids of earlier runs as they were.
_LATER = {"method": "supervised", "beta": "auto", "grader": None}


def run_id(data: TrainingData, *, settings: Settings, model: ModelInfo) -> str:
    """Give 16 hex digits that stand for the data, the model, the training settings and the resource.

    How long to wait and how to name things are not part of it.
    """
    parts = {
        "files": [data.train.sha256, data.validation.sha256],
        "model": model.id if settings.model in {model.id, *model.aliases} else settings.model,
        "project": settings.project,
        "service": service_identity(settings.service),
        "training": _chosen(settings),
    } | _on_this_machine(settings)
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_RUN_ID_DIGITS]


def _on_this_machine(settings: Settings) -> dict[str, Any]:
    local = settings.service.huggingface
    if local is None:
        return {}
    chosen = local.model_dump(mode="json", include={"context", "tuning", "hyperparameters", "processes"})
    # Shards mix examples in another order than lines.
    data = {} if local.shards is None else {"data": "shards"}
    return {"transformers": chosen | {"source": local.models.get(settings.model)} | data}


def _chosen(settings: Settings) -> dict[str, Any]:
    chosen = settings.training.model_dump(mode="json", exclude=_NOT_IN_IDENTITY)
    return {name: value for name, value in chosen.items() if name not in _LATER or value != _LATER[name]}


def job_suffix(settings: Settings, *, run: str, longest: int) -> str:
    """Give the suffix of the job and its model: what the settings say, then the run id, at most `longest` long."""
    head = (settings.training.suffix or settings.project)[: longest - len(run) - 1].rstrip("-_")
    return f"{head}-{run}"


def upload_name(settings: Settings, file: DataFile) -> str:
    """Give the name under which a file is uploaded; it carries the content's hash."""
    return f"{settings.project}-{file.split}-{file.sha256[:16]}.jsonl"


def file_journal(settings: Settings, file: DataFile) -> str:
    """Name the journal of a file at a resource: all runs that need this content there share it."""
    place = hashlib.sha256(service_identity(settings.service).encode()).hexdigest()[:8]
    return f"file-{place}-{file.sha256[:16]}"


def tuned_deployment(settings: Settings, *, run: str, step: int | None = None) -> str:
    """Name the deployment of the tuned model, or of its checkpoint at a step.

    Answers are kept under the name of the deployment that gave them, so two checkpoints never share one.
    """
    name = settings.deployment.name or f"{settings.project}-{run[:8]}"
    suffix = "" if step is None else f"-step-{step}"
    return f"{name[: LONGEST_NAME - len(suffix)]}{suffix}"


def base_deployment(settings: Settings) -> str:
    """Name the base model's deployment."""
    return settings.deployment.base_name or f"{settings.project}-base"


def base_address(settings: Settings, model: ModelInfo) -> ModelAddress:
    """Give the model before tuning as ARM names it: `gpt-4.1-mini-2025-04-14` is name and version."""
    if settings.model not in {model.id, *model.aliases}:
        return ModelAddress(format=model.format, name=settings.model, version="1")
    dated = _DATED.match(model.id)
    if dated is None:
        return ModelAddress(format=model.format, name=model.id, version="1")
    return ModelAddress(format=model.format, name=dated["name"], version=dated["version"])


def tuned_address(tuned_model: str, model: ModelInfo) -> ModelAddress:
    """Give the tuned model as ARM names it."""
    return ModelAddress(format=model.format, name=tuned_model, version="1")
