"""Results in the table of runs, of any kind of run. Never more than a few runs' entries are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.reading import table_exists
from finelake.tables.runs import journal_rows


@dataclass(frozen=True, slots=True)
class Result:
    """What a step of a run recorded, and when (UTC)."""

    journal: str
    step: str
    payload: dict[str, Any]
    recorded_at: datetime


def all_rows(spark: SparkSession, settings: Settings) -> DataFrame | None:
    """Give the entries of all runs; None when there is no table of runs yet."""
    table = table_ref(settings.tables, names.RUNS)
    return journal_rows(spark, table) if table_exists(spark, table) else None


def read_results(rows: DataFrame, condition: Column) -> list[Result]:
    """Read the results that meet a condition, oldest first in each journal; it must name few journals."""
    found = rows.where(condition & (F.col("entry") == "result")).orderBy("run_id", "sequence", "at").collect()
    return [
        Result(row["run_id"], row["step"], json.loads(row["payload"]), datetime.fromtimestamp(row["at"], UTC))
        for row in found
    ]
