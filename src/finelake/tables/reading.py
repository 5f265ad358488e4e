"""Reading Delta tables, at a version that is named in everything derived from them."""

from __future__ import annotations

import re

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from finelake.errors import InputError
from finelake.tables.names import TableRef

_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]")


def read_table(spark: SparkSession, table: TableRef, *, version: int | None = None) -> DataFrame:
    """Read a Delta table, at `version` when given.

    Raises InputError when there is no such table or version.
    """
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    try:
        frame = reader.load(table.reference) if table.is_path else reader.table(table.sql)
        _ = frame.schema  # Connect analyses lazily: a missing table must be said here, not at the first action
    except AnalysisException as error:
        raise not_readable(table, version, error) from None
    return frame


def table_exists(spark: SparkSession, table: TableRef) -> bool:
    """Tell whether a readable Delta table is there."""
    try:
        read_table(spark, table)
    except InputError:
        return False
    return True


def latest_version(spark: SparkSession, table: TableRef) -> int:
    """Give the newest version of a Delta table. Raises InputError when there is no such table."""
    try:
        newest = spark.sql(f"DESCRIBE HISTORY {table.sql} LIMIT 1").select("version").first()
    except AnalysisException as error:
        raise not_readable(table, None, error) from None
    if newest is None:
        raise InputError(f"Table {table} has no history, so it is not a Delta table. Convert it with CONVERT TO DELTA.")
    return int(newest["version"])


def condition_of(error: Exception) -> str | None:
    """Give Spark's name for an error (`TABLE_OR_VIEW_NOT_FOUND`), or None where it is not one of Spark's.

    The name is safe to show; the message of such an error may quote rows.
    """
    given = error.getCondition() if isinstance(error, PySparkException) else None
    found = given or next(iter(_CONDITION.findall(str(error))), None)
    return found or (type(error).__name__ if isinstance(error, PySparkException) else None)


def not_readable(table: TableRef, version: int | None, error: AnalysisException) -> InputError:
    """Give the error that says that there is no such Delta table, or none at this version."""
    at = "" if version is None else f" at version {version}"
    return InputError(
        f"Table {table}{at} cannot be read ({condition_of(error)}). Expected a Delta table there: check the name and "
        f"your permission, or load files into it with `finelake ingest`."
    )
