"""The run log: what each step of a training run intended and what came of it.

One append-only Delta table, one row an entry, columns: run_id string, step string, entry string
(`intent` before an outside effect, `result` after it), payload string (JSON), recorded_at timestamp (UTC).
A step is done when it has a result. An intent without a result means that the process ended between the two:
the next run must look at the service before it acts again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Literal

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.tables.contracts import checked
from finelake.tables.names import RUNS, TableRef
from finelake.tables.reading import read_table, table_exists
from finelake.tables.writing import append_once

Entry = Literal["intent", "result"]
_SCHEMA = "run_id string, step string, entry string, payload string, recorded_at timestamp"


class RunLog:
    """The entries of one run, read once at the start and kept up to date while steps are recorded."""

    def __init__(self, spark: SparkSession, table: TableRef, *, run_id: str) -> None:
        self._spark = spark
        self._table = table
        self.run_id = run_id
        self._entries: dict[tuple[str, str], dict[str, Any]] = self._read()

    def result(self, step: str) -> dict[str, Any] | None:
        """Give what a finished step recorded, or None when it is not finished."""
        return self._entries.get((step, "result"))

    def intent(self, step: str) -> dict[str, Any] | None:
        """Give what was written ahead of a step's effect, or None."""
        return self._entries.get((step, "intent"))

    def record_intent(self, step: str, payload: dict[str, Any]) -> None:
        """Write down, before an effect, what is about to be done."""
        self._record(step, "intent", payload)

    def record_result(self, step: str, payload: dict[str, Any]) -> None:
        """Write down what a step gave; from now on the step is not repeated."""
        self._record(step, "result", payload)

    def _record(self, step: str, entry: Entry, payload: dict[str, Any]) -> None:
        text = json.dumps(payload, sort_keys=True, ensure_ascii=False)
        row = (self.run_id, step, entry, text, datetime.now(UTC))
        frame = self._spark.createDataFrame([row], schema=_SCHEMA)
        append_once(checked(frame, RUNS), self._table, key=f"{self.run_id}.{step}.{entry}")
        self._entries[(step, entry)] = json.loads(text)

    def _read(self) -> dict[tuple[str, str], dict[str, Any]]:
        if not table_exists(self._spark, self._table):
            return {}
        entries = (
            checked(read_table(self._spark, self._table), RUNS)
            .where(F.col("run_id") == self.run_id)
            .select("step", "entry", "payload")
            .collect()
        )
        return {(row["step"], row["entry"]): json.loads(row["payload"]) for row in entries}
