"""The table of aliases: which deployment a name like `production` stands for, one row a change.

An append-only Delta table; of an alias the row with the highest `sequence` counts, the others are its history. A row
is written where no row of its number is, as in the journal of runs (see tables.runs), so that a promotion or a
rollback is one commit, and of two at once only one comes about.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.tables.contracts import checked
from finelake.tables.local import local_frame
from finelake.tables.names import ALIASES, TableRef
from finelake.tables.reading import read_table, table_exists
from finelake.tables.writing import append_once

Action = Literal["promote", "rollback"]

_SCHEMA = (
    "project string, alias string, sequence long, action string, deployment string, model string, sku string, "
    "capacity long, run_id string, verdict string, evaluation_id string, reason string, holder string, "
    "recorded_at timestamp"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AliasEntry:
    """One change of an alias: from `sequence` on it stands for `deployment`, which serves `model` of run `run_id`.

    `verdict` is what the evaluation `evaluation_id` said ("none" without one), `reason` why it was done in spite of
    that, or why it was rolled back. `recorded_at` in UTC.
    """

    project: str
    alias: str
    sequence: int
    action: Action
    deployment: str
    model: str
    sku: str
    capacity: int
    run_id: str
    verdict: str
    evaluation_id: str | None
    reason: str | None
    holder: str
    recorded_at: datetime


class Aliases(Protocol):
    """The history of a project's aliases."""

    def read(self) -> list[AliasEntry]:
        """Give the changes of all aliases of the project, in the order of alias and number."""
        ...

    def append(self, entry: AliasEntry) -> bool:
        """Write a change; False when a change of this number was written by another holder."""
        ...


class DeltaAliases:
    """The aliases of one project in Delta."""

    def __init__(self, spark: SparkSession, table: TableRef, *, project: str) -> None:
        self._spark = spark
        self._table = table
        self._project = project

    def read(self) -> list[AliasEntry]:
        """Give the changes of all aliases of the project, in the order of alias and number."""
        if not table_exists(self._spark, self._table):
            return []
        rows = self._rows().orderBy("alias", "sequence").collect()
        names = [name for name in AliasEntry.__dataclass_fields__ if name != "recorded_at"]
        return [
            AliasEntry(**{name: row[name] for name in names}, recorded_at=datetime.fromtimestamp(row["at"], UTC))
            for row in rows
        ]

    def append(self, entry: AliasEntry) -> bool:
        """Write a change; False when a change of this number was written by another holder.

        Raises OutputError and Spark's own errors when nothing was written.
        """
        frame = checked(local_frame(self._spark, [tuple(asdict(entry).values())], schema=_SCHEMA), ALIASES)
        key = f"alias.{entry.project}.{entry.alias}"
        try:
            append_once(frame, self._table, key=key, version=entry.sequence)
        except Exception:
            # A conflict, or an answer that was lost: what stands in the table decides.
            holder = self._holder_of(entry)
            if holder is None:
                raise
        else:
            holder = self._holder_of(entry)
        return holder == entry.holder

    def _holder_of(self, entry: AliasEntry) -> str | None:
        if not table_exists(self._spark, self._table):
            return None
        same = (F.col("alias") == entry.alias) & (F.col("sequence") == entry.sequence)
        found = self._rows().where(same).select("holder").first()
        return None if found is None else str(found["holder"])

    def _rows(self) -> DataFrame:
        rows = checked(read_table(self._spark, self._table), ALIASES).where(F.col("project") == self._project)
        return rows.withColumn("at", F.unix_micros("recorded_at") / F.lit(1e6))
