"""What a job told about itself, kept in Delta: events and measurements in one table, checkpoints in another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
from pyspark.sql import SparkSession

from finelake.config.settings import Tables
from finelake.tables import names
from finelake.tables.contracts import checked
from finelake.tables.local import local_frame
from finelake.tables.names import table_ref
from finelake.tables.writing import append_once
from finelake.training.events import Event, Measurement

_MEASURED = (
    "step long, train_loss double, train_accuracy double, valid_loss double, valid_accuracy double, "
    "full_valid_loss double, full_valid_accuracy double"
)
EVENTS_SCHEMA = (
    f"run_id string, job_id string, origin string, event_id string, created_at timestamp, level string, "
    f"message string, data string, {_MEASURED}"
)
CHECKPOINTS_SCHEMA = (
    f"run_id string, job_id string, checkpoint_id string, model string, created_at timestamp, {_MEASURED}"
)

_EVENT = "event"
_RESULT_FILE = "result_file"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint: the name under which it can be deployed, and what was measured at its step."""

    id: str
    model: str
    created_at: datetime
    measured: Measurement

    def as_record(self) -> dict[str, Any]:
        """Give what a choice among checkpoints needs."""
        losses = {name: getattr(self.measured, name) for name in ("train_loss", "valid_loss", "full_valid_loss")}
        return {"model": self.model, "step": self.measured.step, **losses}


def checkpoint_of(found: FineTuningJobCheckpoint) -> Checkpoint:
    """Read a checkpoint of the service."""
    metrics = getattr(found, "metrics", None)
    return Checkpoint(
        id=found.id,
        model=found.fine_tuned_model_checkpoint,
        created_at=datetime.fromtimestamp(getattr(found, "created_at", 0) or 0, UTC),
        measured=Measurement(
            step=found.step_number,
            train_loss=getattr(metrics, "train_loss", None),
            train_accuracy=getattr(metrics, "train_mean_token_accuracy", None),
            valid_loss=getattr(metrics, "valid_loss", None),
            valid_accuracy=getattr(metrics, "valid_mean_token_accuracy", None),
            full_valid_loss=getattr(metrics, "full_valid_loss", None),
            full_valid_accuracy=getattr(metrics, "full_valid_mean_token_accuracy", None),
        ),
    )


class TelemetrySink(Protocol):
    """Keeps what one job of one run told."""

    def record_events(self, events: Iterable[Event], results: Iterable[Measurement]) -> None:
        """Keep the events of an ended job and the rows of its result file."""
        ...

    def record_checkpoints(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Keep the checkpoints of an ended job."""
        ...


class Telemetry:
    """Writes what one job of one run told; each kind is written once, however often a start repeats it."""

    def __init__(self, spark: SparkSession, tables: Tables, *, run_id: str, job_id: str) -> None:
        self._spark = spark
        self._tables = tables
        self._run_id = run_id
        self._job_id = job_id

    def record_events(self, events: Iterable[Event], results: Iterable[Measurement]) -> None:
        """Append the events of an ended job and the rows of its result file (`origin` tells them apart)."""
        run = (self._run_id, self._job_id)
        rows: list[tuple[object, ...]] = [
            (
                *(*run, _EVENT, event.id, event.created_at, event.level, event.message, _json(event.data)),
                *_values(event.measured),
            )
            for event in events
        ]
        rows += [
            (*run, _RESULT_FILE, None, None, None, None, _json(result.raw), *_values(result)) for result in results
        ]
        self._append(rows, EVENTS_SCHEMA, names.RUN_EVENTS)

    def record_checkpoints(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Append the checkpoints of an ended job."""
        rows: list[tuple[object, ...]] = [
            (self._run_id, self._job_id, found.id, found.model, found.created_at, *_values(found.measured))
            for found in checkpoints
        ]
        self._append(rows, CHECKPOINTS_SCHEMA, names.CHECKPOINTS)

    def _append(self, rows: list[tuple[object, ...]], schema: str, table: str) -> None:
        if rows:
            frame = local_frame(self._spark, rows, schema=schema).coalesce(1)
            append_once(
                checked(frame, table),
                table_ref(self._tables, table),
                key=f"{self._run_id}.{self._job_id}.{table}",
                new_columns=True,
            )


def _json(values: Mapping[str, Any] | None) -> str | None:
    # Blank cells of a result file say nothing; NaN is no JSON, but says a lot.
    known = {name: value for name, value in (values or {}).items() if value is not None and value != ""}
    return json.dumps(known, sort_keys=True, default=str) if known else None


def _values(measured: Measurement | None) -> tuple[object, ...]:
    if measured is None:
        return (None,) * 7
    return (
        measured.step,
        measured.train_loss,
        measured.train_accuracy,
        measured.valid_loss,
        measured.valid_accuracy,
        measured.full_valid_loss,
        measured.full_valid_accuracy,
    )
