"""A finished training in MLflow: parameters, losses, throughput, manifest; the model with signature, registered."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finelake.config.tracking import Tracking
from finelake.errors import EnvironmentProblem, InputError
from finelake.files import sha256_of
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import read_job
from finelake.huggingface.models import load_tokenizer, load_trained
from finelake.huggingface.preparation import read_census
from finelake.huggingface.progress import ProgressFile
from finelake.tracking.store import Metric, Source, TrackedRun, open_run

logger = logging.getLogger(__name__)

_TOLD = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "learning_rate", "gradient_norm", "tokens")
_TAGS = ("status", "sha256", "versions", "hardware", "data")
_WEIGHTS = "finelake.weights"


def log_training(folder: Path, *, tracking: Tracking, project: str, run: str) -> TrackedRun:
    """Write a job's parameters, numbers by step, data and manifest to the MLflow run of `run`; can be repeated.

    Raises InputError where the job has not succeeded, EnvironmentProblem without MLflow.
    """
    place = JobFolder(folder)
    result = place.read_result()
    if result is None or result["status"] != "succeeded":
        raise InputError(f"{folder} holds no training that has succeeded. Wait for its result.json, or look there.")
    job = read_job(place.job)
    tracked = open_run(tracking, project=project, run=run)
    tracked.add_params(dict(_flat(job.model_dump(mode="json"), "job")))
    tracked.add_metrics(_metrics(place, steps=result["steps"]))
    for split, file in (("train", job.data.train), ("validation", job.data.validation)):
        if file is not None:
            path = Path(file) / "manifest.json" if Path(file).is_dir() else Path(file)
            tracked.add_sources([Source(name=split, digest=sha256_of(path), place=file, context=split)])
    tracked.set_tags({f"finelake.{key}": json.dumps(result[key], sort_keys=True) for key in _TAGS})
    tracked.add_files([place.job, place.result, place.model / "manifest.json"], folder="training")
    return tracked


def log_model(
    folder: Path, *, tracking: Tracking, project: str, run: str, registered_as: str | None = None
) -> dict[str, str | None]:
    """Log a training with its model and the signature of a chat, and register it where a name is given.

    The name is `catalog.schema.name` in Unity Catalog, else one of the tracking server's own registry. An adapter is
    merged into its base first: what is registered can be served and trained on as it is. Gives model_uri, name and
    version. The same weights are not registered twice under a name. Raises EnvironmentProblem without MLflow.
    """
    tracked = log_training(folder, tracking=tracking, project=project, run=run)
    try:
        import mlflow
        import mlflow.transformers
    except ImportError:
        raise EnvironmentProblem("Logging a model needs MLflow. Run pip install 'finelake[hf,mlflow]'.") from None
    place = JobFolder(folder)
    weights = str((place.read_result() or {})["sha256"])
    mlflow.set_tracking_uri(tracked.tracking_uri)
    if registered_as is not None and registered_as.count(".") == 2:
        mlflow.set_registry_uri("databricks-uc")
    if registered_as is not None and (known := _registered(mlflow.MlflowClient(), registered_as, weights)) is not None:
        return known
    with mlflow.start_run(run_id=tracked.run_id):
        logged = mlflow.transformers.log_model(
            transformers_model={
                "model": load_trained(place.model, base=read_census(place)[1]),
                "tokenizer": load_tokenizer(str(place.model)),
            },
            name="model",
            task="llm/v1/chat",
            pip_requirements=_requirements(place),
        )
    if registered_as is None:
        return {"model_uri": logged.model_uri, "name": None, "version": None}
    version = mlflow.register_model(logged.model_uri, registered_as, tags={_WEIGHTS: weights})
    return {"model_uri": logged.model_uri, "name": registered_as, "version": str(version.version)}


def _registered(client: Any, name: str, weights: str) -> dict[str, str | None] | None:
    for version in client.search_model_versions(f"name = '{name}'"):
        # The catalog's search leaves tags out.
        found = client.get_model_version(name, version.version)
        if found.tags.get(_WEIGHTS) == weights:
            return {"model_uri": found.source, "name": name, "version": str(found.version)}
    return None


def _requirements(place: JobFolder) -> list[str]:
    versions = (place.read_result() or {}).get("versions", {})
    return [f"{name}=={versions[name]}" for name in ("torch", "transformers", "accelerate") if name in versions]


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
