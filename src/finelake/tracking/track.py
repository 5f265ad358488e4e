"""What is tracked of a training run and of its evaluation.

A tracking server that is away must not cost a training run: what goes wrong there is logged, and the next start of
the same run writes what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake import __version__
from finelake.config.settings import Settings
from finelake.publish import MANIFEST, read_manifest
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.reading import read_table, table_exists
from finelake.tracking.store import Metric, Source, TrackedRun, open_run
from finelake.training.data import TrainingData
from finelake.training.events import Event, Measurement
from finelake.training.outcome import TrainingOutcome
from finelake.training.progress import Progress

if TYPE_CHECKING:
    from finelake.evaluation.results import Evaluation

logger = logging.getLogger(__name__)

MEASURED = (
    "train_loss",
    "train_accuracy",
    "valid_loss",
    "valid_accuracy",
    "full_valid_loss",
    "full_valid_accuracy",
)
_REPORTS = ("report.html", "report.json", "comparison.md", "comparison.json")
_PAGES = ("evaluation.html", "model_card.md")
_SHOWN_SECTIONS = ("training", "deployment", "splits", "duplicates", "examples", "privacy")


class LiveMetrics(Progress):
    """Writes what a job measures to its MLflow run while it trains."""

    def __init__(self, run: TrackedRun) -> None:
        self._run = run

    def told(self, events: Sequence[Event]) -> None:
        """Write the measurements among new events."""
        with _unharmed():
            self._run.add_metrics(
                metric
                for event in events
                if event.measured is not None
                for metric in metrics_of(event.measured, at=round(event.created_at.timestamp() * 1000))
            )


def begin(settings: Settings, data: TrainingData, *, run: str) -> TrackedRun | None:
    """Open the run's MLflow run and write its parameters and sources; None where nothing is tracked or it is away."""
    if not settings.tracking.enabled:
        return None
    tracked: TrackedRun | None = None
    with _unharmed():
        tracked = open_run(settings.tracking, project=settings.project, run=run)
        tracked.add_params(_params(settings, data))
        tracked.add_sources(_sources(settings, data))
        tracked.add_files([settings.output.path / MANIFEST])
    return tracked


def trained(spark: SparkSession, settings: Settings, outcome: TrainingOutcome, tracked: TrackedRun | None) -> None:
    """Write what the run came to: every measurement that Delta has, the model and where it comes from."""
    if tracked is None:
        return
    with _unharmed():
        tracked.add_metrics(_recorded(spark, settings, run=outcome.run_id))
        tags = {
            "job_id": outcome.job_id,
            "base_model": outcome.model,
            "tuned_model": outcome.fine_tuned_model,
            "deployed_model": outcome.deployed_model,
            "deployment": outcome.deployment,
            "base_deployment": outcome.base_deployment,
            "training_file": outcome.training_file_id,
            "validation_file": outcome.validation_file_id,
            "checkpoints": " ".join(outcome.checkpoints),
            "trained_tokens": outcome.trained_tokens,
            "stopped_early": outcome.stopped_early,
            "findings": " ".join(outcome.findings) or None,
            "portal": " ".join(outcome.portal) or None,
            "version": __version__,
        }
        tracked.set_tags({f"finelake.{name}": value for name, value in tags.items()})
        lineage = {name: str(tags[name]) for name in ("job_id", "base_model", "tuned_model", "deployed_model")}
        tracked.add_model(settings.project, tags={f"finelake.{name}": value for name, value in lineage.items()})
        tracked.add_files(settings.output.path / name for name in _REPORTS[:2])
        tracked.end()


def evaluated(settings: Settings, evaluation: Evaluation) -> None:
    """Write an evaluation to the MLflow run of its training run: numbers, verdict and reports."""
    if not settings.tracking.enabled:
        return
    with _unharmed():
        tracked = open_run(settings.tracking, project=settings.project, run=evaluation.run_id)
        tracked.add_metrics(_compared(evaluation))
        tracked.set_tags(
            {
                "finelake.verdict": evaluation.verdict.decision,
                "finelake.reasons": " ".join(evaluation.verdict.reasons),
                "finelake.evaluation_id": evaluation.evaluation_id,
            }
        )
        pages = _PAGES if settings.tracking.pages else ()
        tracked.add_files(settings.output.path / name for name in (*_REPORTS, *pages))


def metrics_of(measured: Measurement, *, at: int) -> Iterator[Metric]:
    """Give a measurement as metrics."""
    for name in MEASURED:
        value = getattr(measured, name)
        if value is not None:
            yield Metric(key=name, value=value, step=measured.step, at=at)


def _recorded(spark: SparkSession, settings: Settings, *, run: str) -> list[Metric]:
    """Read every measurement of a run; rows of the result file have no time and get that of the last event."""
    table = table_ref(settings.tables, names.RUN_EVENTS)
    if not table_exists(spark, table):
        return []
    rows = (
        read_table(spark, table)
        .where((F.col("run_id") == run) & F.col("step").isNotNull())
        .select("step", (F.unix_micros("created_at") / F.lit(1000)).cast("long").alias("at"), *MEASURED)
        .orderBy(F.col("at").asc_nulls_last(), "step")
        .collect()
    )
    last = max((row["at"] for row in rows if row["at"] is not None), default=0)
    return [
        Metric(key=name, value=row[name], step=row["step"], at=last if row["at"] is None else row["at"])
        for row in rows
        for name in MEASURED
        if row[name] is not None
    ]


def _compared(evaluation: Evaluation) -> Iterator[Metric]:
    for part, differences in evaluation.parts:
        for name, found in differences.items():
            values: dict[str, float] = {"base": found.base_mean, "tuned": found.tuned_mean, "change": found.difference}
            if found.interval is not None:
                values |= {"change_low": found.interval.low, "change_high": found.interval.high}
            for kind, value in values.items():
                yield Metric(key=f"{part}/{name}/{kind}", value=value, step=0, at=0)


def _params(settings: Settings, data: TrainingData) -> dict[str, object]:
    manifest = read_manifest(settings.output.path) or {}
    shown: dict[str, object] = {"project": settings.project, "model": settings.model}
    for section in _SHOWN_SECTIONS:
        shown |= _flat(
            getattr(settings, section).model_dump(mode="json", exclude={"import_from", "salt", "key"}), section
        )
    for file in (data.train, data.validation, data.test):
        shown |= {f"files.{file.split}.examples": file.examples, f"files.{file.split}.tokens": file.tokens}
        shown[f"files.{file.split}.sha256"] = file.sha256
    return shown | {"curation": manifest.get("run_id", "unknown")}


def _flat(values: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", value


def _sources(settings: Settings, data: TrainingData) -> Iterator[Source]:
    for file in (data.train, data.validation, data.test):
        yield Source(name=f"{file.split}.jsonl", digest=file.sha256, place=str(file.path), context=file.split)
    manifest = read_manifest(settings.output.path) or {}
    for name, entry in manifest.get("tables", {}).items():
        if isinstance(entry, dict) and "version" in entry:
            digest = f"version {entry['version']}"
            yield Source(name=name, digest=digest, place=str(entry.get("table", name)), context="table")


@contextmanager
def _unharmed() -> Iterator[None]:
    try:
        yield
    except _trackers_errors() as error:
        logger.warning(
            "MLflow could not be written (%s). The run goes on; its next start writes what is missing.",
            type(error).__name__,
        )


def _trackers_errors() -> tuple[type[Exception], ...]:
    """Give MLflow's errors, and those of the network or disk below it."""
    try:
        from mlflow.exceptions import MlflowException
    except ImportError:
        return (OSError,)
    return (OSError, MlflowException)
