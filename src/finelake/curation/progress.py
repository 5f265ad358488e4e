"""How far the table of annotated conversations is: the last version a curation finished, and what it was made of.

A record is written after the table. A run that was killed in between leaves a version that no record names; the next
run then finds that the table is not what the record says, and does all of it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.tables.contracts import checked
from finelake.tables.local import local_frame
from finelake.tables.names import INCREMENTS, TableRef
from finelake.tables.reading import read_table, table_exists
from finelake.tables.writing import append_once

_SCHEMA = (
    "run_id string, source_id string, source_version long, annotated_id string, annotated_version long, recipe string, "
    "columns string, canned array<string>, way string, rebuilt long, gone long, recorded_at timestamp"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What annotated conversations are made of; `columns` are the types of the mapped columns by name."""

    source_id: str
    source_version: int
    recipe: str
    columns: Mapping[str, str]
    canned: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A version of the annotated table, and its basis."""

    basis: Basis
    annotated_id: str
    annotated_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """How a run came by its annotated conversations; counts are conversations, None where all were made."""

    way: str
    why: str
    rebuilt: int | None = None
    gone: int | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        """Give what the manifest tells."""
        return asdict(self)


def last_progress(spark: SparkSession, table: TableRef, *, annotated_id: str) -> Progress | None:
    """Read the newest record of an annotated table; None without one."""
    if not table_exists(spark, table):
        return None
    rows = checked(read_table(spark, table), INCREMENTS).where(F.col("annotated_id") == annotated_id)
    row = rows.orderBy(F.desc("annotated_version"), F.desc("source_version")).first()
    if row is None:
        return None
    basis = Basis(
        source_id=row["source_id"],
        source_version=row["source_version"],
        recipe=row["recipe"],
        columns=json.loads(row["columns"]),
        canned=frozenset(row["canned"]),
    )
    return Progress(basis=basis, annotated_id=row["annotated_id"], annotated_version=row["annotated_version"])


def record_progress(
    spark: SparkSession, table: TableRef, progress: Progress, *, increment: Increment, run_id: str
) -> None:
    """Append a record; a second one of the same versions is skipped."""
    basis = progress.basis
    row = (
        run_id,
        basis.source_id,
        basis.source_version,
        progress.annotated_id,
        progress.annotated_version,
        basis.recipe,
        json.dumps(basis.columns, sort_keys=True),
        sorted(basis.canned),
        increment.way,
        increment.rebuilt,
        increment.gone,
        datetime.now(UTC),
    )
    frame = checked(local_frame(spark, [row], schema=_SCHEMA), INCREMENTS)
    key = f"{progress.annotated_id}.{progress.annotated_version}.{basis.source_id}.{basis.source_version}"
    append_once(frame, table, key=f"progress.{key}")
