"""A trained model in MLflow, logged as a chat with signature and registered once for its weights."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from finelake.config.tracking import Tracking
from finelake.errors import EnvironmentProblem, InputError
from finelake.huggingface.checkpoints import weights_hash
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.models import load_tokenizer, load_trained, local_source
from finelake.huggingface.preparation import read_census
from finelake.huggingface.registry import WEIGHTS, Version, find_tagged, model_tag, registry_client, registry_of
from finelake.huggingface.tracked import log_training
from finelake.tracking.store import open_run

logger = logging.getLogger(__name__)

SERVED = Path(__file__).with_name("served.py")
"""The code that answers; it goes into the logged model."""

_EXAMPLE = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
_PACKAGES = ("torch", "transformers", "accelerate")


def log_model(
    folder: Path,
    *,
    tracking: Tracking,
    project: str,
    run: str,
    registered_as: str | None = None,
    step: int | None = None,
    model: str | None = None,
) -> dict[str, str | None]:
    """Log a training with its model and the signature of a chat, and register it where a name is given.

    The model is that of the end, or the checkpoint at `step`; an adapter is merged into its base first. What is
    registered answers chats where MLflow serves it, and can be trained further. `registered_as` is
    `catalog.schema.name` in Unity Catalog, else a name in the tracking server's own registry; `model` is the name
    under which the version is looked for when it is deployed. Gives model_uri, name and version. The same weights are
    not registered twice under a name. Raises InputError where there is nothing to log, EnvironmentProblem without
    MLflow.
    """
    tracked = log_training(folder, tracking=tracking, project=project, run=run, step=step)
    place = JobFolder(folder)
    weights = place.model if step is None else place.checkpoints / f"step-{step}"
    if not weights.is_dir():
        raise InputError(f"{weights} is not there. Keep more checkpoints (keep_checkpoints), or take another one.")
    tags = {WEIGHTS: weights_hash(weights)} | ({} if model is None else {model_tag(model): model})
    if registered_as is not None and (known := _known(tracking, registered_as, tags)) is not None:
        return known
    base = read_census(place)[1]
    with tempfile.TemporaryDirectory(prefix=".registering-", dir=folder) as scratch:
        whole = _whole(weights, base=base, into=Path(scratch))
        versions = (place.read_result() or {}).get("versions", {})
        uri = _logged(whole, run_id=tracked.run_id, uri=tracked.tracking_uri, versions=versions)
    return _registered(uri, registered_as, tags)


def log_base(
    source: str, *, tracking: Tracking, project: str, registered_as: str, model: str, into: Path
) -> dict[str, str | None]:
    """Log and register a model as it was before tuning, from folder, hub or registry; once for its weights.

    `into` is where a registered source is fetched to. Raises JobError `model_missing`, EnvironmentProblem.
    """
    found = local_source(source, into=into)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".registering-", dir=into) as scratch:
        whole = _whole(Path(found), base=found, into=Path(scratch))
        tags = {WEIGHTS: weights_hash(whole), model_tag(model): model}
        known = _known(tracking, registered_as, tags)
        if known is not None:
            return known
        tracked = open_run(tracking, project=project, run=f"base-{tags[WEIGHTS][:16]}")
        uri = _logged(whole, run_id=tracked.run_id, uri=tracked.tracking_uri, versions=_installed())
        tracked.end()
    return _registered(uri, registered_as, tags)


def _whole(weights: Path, *, base: str, into: Path) -> Path:
    """Write a model and its tokenizer into a new folder; its name is what MLflow calls it."""
    folder = into / "model"
    load_trained(weights, base=base).save_pretrained(folder)
    load_tokenizer(str(weights)).save_pretrained(folder)
    return folder


def _logged(folder: Path, *, run_id: str, uri: str, versions: Mapping[str, str]) -> str:
    try:
        import mlflow
        import mlflow.pyfunc
    except ImportError:
        raise EnvironmentProblem("Logging a model needs MLflow. Run pip install 'finelake[hf,mlflow]'.") from None
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVED),
            artifacts={"model": str(folder)},
            input_example=_EXAMPLE,
            pip_requirements=requirements(versions),
        )
    return str(logged.model_uri)


def requirements(versions: Mapping[str, str]) -> list[str]:
    """Pin what serving installs to what trained; a build's local mark (`+cu128`) is on no package index."""
    return [f"{name}=={versions[name].partition('+')[0]}" for name in _PACKAGES if name in versions]


def _installed() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in _PACKAGES}


def _known(tracking: Tracking, name: str, tags: Mapping[str, str]) -> dict[str, str | None] | None:
    client = registry_client(tracking, name)
    known = find_tagged(client, name, WEIGHTS, tags[WEIGHTS])
    if known is None:
        return None
    for key, value in tags.items():
        client.set_model_version_tag(name, known.version, key, value)
    return dict(known.as_record())


def _registered(uri: str, name: str | None, tags: Mapping[str, str]) -> dict[str, str | None]:
    if name is None:
        return {"model_uri": uri, "name": None, "version": None}
    import mlflow

    mlflow.set_registry_uri(registry_of(name) or mlflow.get_tracking_uri())
    made = mlflow.register_model(uri, name, tags=dict(tags))
    logger.info("registered %s version %s", name, made.version)
    return dict(Version(name, str(made.version), uri).as_record())
