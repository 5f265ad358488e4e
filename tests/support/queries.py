"""The dashboard's queries, with their parameters filled in."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from finelake.tables.names import TableRef

SUBSTITUTION = "spark.sql.legacy.parameterSubstitution.constantsOnly"
"""Spark 4.2 takes no parameter for a name where Delta's parser is in between, unless this is set."""
QUERIES = Path(__file__).resolve().parents[2] / "conf" / "sql"


def ask(spark: SparkSession, name: str, **values: Any) -> list[Row]:
    """Run a query; a parameter that is a folder becomes a name in the catalog while it runs, as names it takes."""
    folders = {key: TableRef(value) for key, value in values.items() if isinstance(value, str)}
    tables = {key: f"{key}_{uuid.uuid4().hex}" for key in folders}
    for key, table in tables.items():
        spark.sql(f"CREATE TABLE {table} USING delta LOCATION '{folders[key].reference}'")
    spark.conf.set(SUBSTITUTION, "true")
    try:
        query = (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
        return spark.sql(query, args=values | tables).collect()
    finally:
        spark.conf.unset(SUBSTITUTION)
        for table in tables.values():
            spark.sql(f"DROP TABLE {table}")
