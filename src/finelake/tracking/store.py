"""The MLflow run that belongs to a training run, and writing to it what is not there yet."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finelake.config.tracking import Tracking
from finelake.errors import EnvironmentProblem

logger = logging.getLogger(__name__)

RUN_TAG = "finelake.run_id"

_BATCH = 500
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000
_RUNTIME = "DATABRICKS_RUNTIME_VERSION"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A number by step; `at` in milliseconds since 1970."""

    key: str
    value: float
    step: int
    at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Something that a model was made of: `digest` tells versions apart, `place` is a path or table."""

    name: str
    digest: str
    place: str
    context: str


class TrackedRun:
    """One MLflow run. Every write looks first at what is there, so that it can be repeated."""

    def __init__(self, client: Any, *, experiment_id: str, run_id: str) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self.run_id = run_id

    @property
    def tracking_uri(self) -> str:
        """Address of the tracking server or database."""
        return str(self._client.tracking_uri)

    def add_params(self, params: Mapping[str, object]) -> None:
        """Write the parameters that are missing; MLflow lets none be changed."""
        from mlflow.entities import Param

        there = self._client.get_run(self.run_id).data.params
        new = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in params.items() if name not in there]
        for at in range(0, len(new), 100):
            self._client.log_batch(self.run_id, params=new[at : at + 100])

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Write tags; those that are None are left out."""
        for name, value in tags.items():
            if value is not None:
                self._client.set_tag(self.run_id, name, str(value)[:_LONGEST_TAG])

    def add_metrics(self, metrics: Iterable[Metric]) -> None:
        """Write the metrics whose key and step are not there yet; what is no number is left out."""
        from mlflow.entities import Metric as Logged

        by_key: dict[str, dict[int, Metric]] = {}
        for one in metrics:
            if math.isfinite(one.value):
                by_key.setdefault(one.key, {}).setdefault(one.step, one)
        new = []
        for key, steps in by_key.items():
            there = {found.step for found in self._client.get_metric_history(self.run_id, key)}
            new += [Logged(key, one.value, one.at, step) for step, one in steps.items() if step not in there]
        for at in range(0, len(new), _BATCH):
            self._client.log_batch(self.run_id, metrics=new[at : at + _BATCH])

    def add_files(self, files: Iterable[Path], *, folder: str | None = None) -> None:
        """Keep the files that exist as artifacts; a file of the same name is replaced."""
        for file in files:
            if file.is_file():
                self._client.log_artifact(self.run_id, str(file), folder)

    def add_sources(self, sources: Iterable[Source]) -> None:
        """Name what the run was made of, as MLflow's data sets."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        there = {
            (found.dataset.name, found.dataset.digest)
            for found in self._client.get_run(self.run_id).inputs.dataset_inputs
        }
        new = [
            DatasetInput(
                Dataset(name=one.name, digest=one.digest[:36], source_type="finelake", source=one.place),
                [InputTag("mlflow.data.context", one.context)],
            )
            for one in sources
            if (one.name, one.digest[:36]) not in there
        ]
        if new:
            self._client.log_inputs(self.run_id, new)

    def add_model(self, name: str, *, tags: Mapping[str, str]) -> None:
        """Register the tuned model as one that lives outside MLflow, made by this run; once for each tuned model.

        Servers before MLflow 3 know no such models: there the run's tags alone name it.
        """
        if not hasattr(self._client, "create_logged_model"):
            return
        found = self._client.search_logged_models([self._experiment_id], filter_string=f"name = '{name}'")
        mine = [one for one in found if one.source_run_id == self.run_id and one.tags.items() >= tags.items()]
        if not mine:
            self._client.create_logged_model(
                self._experiment_id, name=name, source_run_id=self.run_id, tags=dict(tags), model_type="finelake"
            )

    def end(self) -> None:
        """Say that the run has ended."""
        self._client.set_terminated(self.run_id, status="FINISHED")


def open_run(tracking: Tracking, *, project: str, run: str) -> TrackedRun:
    """Find the MLflow run of a training run, or begin it. Raises EnvironmentProblem where MLflow is not installed."""
    # MLflow reports its use to its makers unless it is told not to before it is imported.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise EnvironmentProblem(
            "tracking.enabled is true, but MLflow is not installed. Run pip install 'finelake[mlflow]', or set "
            "tracking.enabled to false."
        ) from None
    uri, artifacts = tracking_place(tracking)
    client = MlflowClient(tracking_uri=uri)
    experiment = _experiment(client, _experiment_name(tracking, uri, project), artifacts)
    found = client.search_runs(
        [experiment], filter_string=f"tags.`{RUN_TAG}` = '{run}'", order_by=["attributes.start_time ASC"], max_results=1
    )
    if found:
        return TrackedRun(client, experiment_id=experiment, run_id=found[0].info.run_id)
    # The tag is given with the run, so that a driver that dies now leaves a run that is found again.
    made = client.create_run(experiment, tags={RUN_TAG: run, "finelake.project": project}, run_name=f"{project} {run}")
    return TrackedRun(client, experiment_id=experiment, run_id=made.info.run_id)


def tracking_place(tracking: Tracking) -> tuple[str, str | None]:
    """Give the tracking address, and where artifacts go when that is a local database."""
    if tracking.uri is not None:
        return tracking.uri, None
    if os.environ.get(_RUNTIME):
        return "databricks", None
    folder = Path(tracking.folder).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()


def _experiment_name(tracking: Tracking, uri: str, project: str) -> str:
    default = f"/Shared/finelake-{project}" if uri.startswith("databricks") else project
    return tracking.experiment or default


def _experiment(client: Any, name: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifacts))
        except MlflowException:
            # Another driver made it at the same time.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)
