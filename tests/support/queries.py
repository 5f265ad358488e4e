"""The dashboard's queries, with their parameters filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from finelake.tables.names import TableRef

QUERIES = Path(__file__).resolve().parents[2] / "conf" / "sql"


def ask(spark: SparkSession, name: str, **values: Any) -> list[Row]:
    """Run one of the queries with its parameters, tables by reference."""
    given = {key: TableRef(value).sql if isinstance(value, str) else value for key, value in values.items()}
    return spark.sql((QUERIES / f"{name}.sql").read_text(encoding="utf-8"), args=given).collect()
