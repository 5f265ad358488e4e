"""The table of runs: what each step of a training run intended, what came of it, and who works on it.

One append-only Delta table, one row an entry, columns: run_id string, sequence long, holder string, step string,
entry string (`lease`, `intent`, `result`), payload string (JSON), recorded_at timestamp (UTC). A step is done when it
has a result. An intent without a result means that the process ended between the two: the next driver must look at
the service before it acts again.

Delta takes one transaction of an application id and version, so `append` with the run as id and the number as version
is a compare-and-set. That needs a store on which Delta's commits exclude each other: local disks, ADLS, GCS, HDFS and
Unity Catalog do; S3 with several clusters only through Databricks or Delta's DynamoDB log store.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.tables.contracts import checked
from finelake.tables.journal import Entry
from finelake.tables.local import local_frame
from finelake.tables.names import RUNS, TableRef
from finelake.tables.reading import read_table, table_exists
from finelake.tables.writing import append_once

logger = logging.getLogger(__name__)

_SCHEMA = (
    "run_id string, sequence long, holder string, step string, entry string, payload string, recorded_at timestamp"
)
_ADDED_LATER = {"sequence": "long", "holder": "string"}


class RunLog:
    """The entries of one run as they are when the log is opened; for those who only read."""

    def __init__(self, spark: SparkSession, table: TableRef, *, run_id: str) -> None:
        self.run_id = run_id
        entries = DeltaJournal(spark, table, run_id=run_id).read()
        self._entries = {(entry.step, entry.entry): entry.payload for entry in entries}

    def result(self, step: str) -> dict[str, Any] | None:
        """Give what a finished step recorded, or None when it is not finished."""
        return self._entries.get((step, "result"))

    def intent(self, step: str) -> dict[str, Any] | None:
        """Give what was written ahead of a step's last effect, or None."""
        return self._entries.get((step, "intent"))


class DeltaJournal:
    """The journal of one run in the table of runs."""

    def __init__(self, spark: SparkSession, table: TableRef, *, run_id: str) -> None:
        self._spark = spark
        self._table = table
        self._run_id = run_id

    @property
    def run_id(self) -> str:
        """The run whose entries these are."""
        return self._run_id

    def read(self) -> list[Entry]:
        """Give all entries of the run, in the order of their numbers. Raises InputError for a table of other form."""
        if not table_exists(self._spark, self._table):
            return []
        rows = self._rows().orderBy("sequence", "recorded_at").collect()
        return [
            Entry(
                sequence=row["sequence"] or 0,
                holder=row["holder"] or "",
                step=row["step"],
                entry=row["entry"],
                payload=json.loads(row["payload"]),
                recorded_at=datetime.fromtimestamp(row["at"], UTC),
            )
            for row in rows
        ]

    def append(self, entry: Entry) -> bool:
        """Write an entry; False when an entry of this number was written by another holder.

        Raises OutputError and Spark's own errors when nothing was written.
        """
        try:
            append_entry(self._spark, self._table, entry, run_id=self._run_id)
        except Exception:
            # A conflict, or an answer that was lost: what stands in the table decides.
            holder = self._holder_of(entry.sequence)
            if holder is None:
                raise
        else:
            holder = self._holder_of(entry.sequence)
        return holder == entry.holder

    def _holder_of(self, sequence: int) -> str | None:
        if not table_exists(self._spark, self._table):
            return None
        found = self._rows().where(F.col("sequence") == sequence).select("holder").first()
        return None if found is None else str(found["holder"])

    def _rows(self) -> DataFrame:
        return journal_rows(self._spark, self._table).where(F.col("run_id") == self._run_id)


def journal_rows(spark: SparkSession, table: TableRef) -> DataFrame:
    """Read the entries of all runs; the column `at` holds recorded_at in seconds since 1970.

    Raises InputError when there is no such table, or one of other form.
    """
    frame = read_table(spark, table)
    for name, kind in _ADDED_LATER.items():
        if name not in frame.columns:
            frame = frame.withColumn(name, F.lit(None).cast(kind))
    return checked(frame, RUNS).withColumn("at", F.unix_micros("recorded_at") / F.lit(1e6))


def append_entry(spark: SparkSession, table: TableRef, entry: Entry, *, run_id: str) -> None:
    """Write an entry where no entry of its number or above is; else Delta skips it, or there is a conflict."""
    text = json.dumps(entry.payload, sort_keys=True, ensure_ascii=False)
    row = (run_id, entry.sequence, entry.holder, entry.step, entry.entry, text, entry.recorded_at)
    frame = checked(local_frame(spark, [row], schema=_SCHEMA), RUNS)
    append_once(frame, table, key=f"run.{run_id}", version=entry.sequence, new_columns=True)


def run_ids(spark: SparkSession, table: TableRef) -> list[str]:
    """Give the ids of all runs that a table of runs knows, in order; an empty list when there is no such table."""
    if not table_exists(spark, table):
        return []
    return [row["run_id"] for row in read_table(spark, table).select("run_id").distinct().orderBy("run_id").collect()]
