"""A finished training in MLflow: parameters, losses, throughput, data and manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finelake.config.tracking import Tracking
from finelake.errors import InputError
from finelake.files import sha256_of
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import read_job
from finelake.huggingface.progress import ProgressFile
from finelake.tracking.store import Metric, Source, TrackedRun, open_run

_TOLD = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "learning_rate", "gradient_norm", "tokens")
_TAGS = ("status", "sha256", "versions", "hardware", "data")


def log_training(folder: Path, *, tracking: Tracking, project: str, run: str, step: int | None = None) -> TrackedRun:
    """Write a job's parameters, numbers by step, data and manifest to the MLflow run of `run`; can be repeated.

    Raises InputError where the job has not succeeded, unless a checkpoint of it is meant (`step`), and
    EnvironmentProblem without MLflow.
    """
    place = JobFolder(folder)
    result = place.read_result()
    if result is None or result["status"] not in ({"succeeded"} if step is None else {"succeeded", "stopped"}):
        raise InputError(f"{folder} holds no training that has succeeded. Wait for its result.json, or look there.")
    job = read_job(place.job)
    tracked = open_run(tracking, project=project, run=run)
    tracked.add_params(dict(_flat(job.model_dump(mode="json"), "job")))
    tracked.add_metrics(_metrics(place, steps=result["steps"]))
    for split, file in (("train", job.data.train), ("validation", job.data.validation)):
        if file is not None:
            path = Path(file) / "manifest.json" if Path(file).is_dir() else Path(file)
            tracked.add_sources([Source(name=split, digest=sha256_of(path), place=file, context=split)])
    tracked.set_tags({f"finelake.{key}": json.dumps(result[key], sort_keys=True) for key in _TAGS if key in result})
    tracked.add_files([place.job, place.result, place.model / "manifest.json"], folder="training")
    return tracked


def _metrics(place: JobFolder, *, steps: int) -> Iterator[Metric]:
    """Give the numbers of each step, and tokens a second; their time is that at which the training ended."""
    lines = ProgressFile(place.progress)
    at = round(place.result.stat().st_mtime * 1000)
    for step in range(1, steps + 1):
        line = lines.at(step)
        for key in _TOLD:
            if line.get(key) is not None:
                yield Metric(key=key, value=float(line[key]), step=step, at=at)
        if line.get("seconds"):
            yield Metric(key="tokens_per_second", value=line["tokens"] / line["seconds"], step=step, at=at)


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}.{name}")
        elif value is not None:
            yield f"{prefix}.{name}", value
