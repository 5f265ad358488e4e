"""The dashboard's queries, with their parameters filled in."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from finelake.tables.names import TableRef

SUBSTITUTION = "spark.sql.legacy.parameterSubstitution.constantsOnly"
"""Spark 4.2 takes no parameter for a name where Delta's parser is in between, unless this is set."""
QUERIES = Path(__file__).resolve().parents[2] / "conf" / "sql"


def ask(spark: SparkSession, name: str, *, within: str = "{}", **values: Any) -> list[Row]:
    """Run a query, or a statement `within` which it stands; a folder becomes a name in the catalog while it runs."""
    folders = {key: TableRef(value) for key, value in values.items() if isinstance(value, str)}
    tables = {key: f"{key}_{uuid.uuid4().hex}" for key in folders}
    for key, table in tables.items():
        spark.sql(f"CREATE TABLE {table} USING delta LOCATION '{folders[key].reference}'")
    spark.conf.set(SUBSTITUTION, "true")
    try:
        query = within.format((QUERIES / f"{name}.sql").read_text(encoding="utf-8"))
        if _loses_parameters(spark):
            return spark.sql(_written_in(query, values | tables)).collect()
        return spark.sql(query, args=values | tables).collect()
    finally:
        spark.conf.unset(SUBSTITUTION)
        for table in tables.values():
            spark.sql(f"DROP TABLE {table}")


def _loses_parameters(spark: SparkSession) -> bool:
    """Tell whether no parameter reaches a query: Spark Connect from 4.1 on, where Delta's parser is in between."""
    return "connect" in type(spark).__module__ and not spark.version.startswith("4.0.")


def _written_in(query: str, values: dict[str, Any]) -> str:
    """Give the query with its parameters' values in their places, as docs/dashboard.md says."""
    for key, value in values.items():
        query = re.sub(rf":{key}\b", repr(value), query)
    return query
