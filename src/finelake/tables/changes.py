"""What happened to a Delta table since a version: its identity, the commits of others, its change data feed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.errors import InputError
from finelake.tables.ddl import FEED
from finelake.tables.names import TableRef
from finelake.tables.reading import not_readable

_FEED_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")
_SAME_ROWS = {
    "OPTIMIZE",
    "VACUUM START",
    "VACUUM END",
    "SET TBLPROPERTIES",
    "UNSET TBLPROPERTIES",
    "CLUSTER BY",
    "COMPUTE STATS",
    "UPGRADE PROTOCOL",
    "CHANGE COLUMN",
    "ADD CONSTRAINT",
    "DROP CONSTRAINT",
    "REORG",
}
"""Operations of Delta's history (its name in `DESCRIBE HISTORY`) that leave the rows of a table as they are."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Delta's id of a table, which outlives renames and not a replacement, its properties and its table features."""

    id: str
    properties: Mapping[str, str]
    features: frozenset[str] = frozenset()

    @property
    def feed(self) -> bool:
        """Whether the table keeps a change data feed."""
        return self.properties.get(FEED, "false").lower() == "true"

    @property
    def deletion_vectors(self) -> bool:
        """Whether deleted rows may stand in files of the present version, marked as deleted."""
        return "deletionVectors" in self.features


def identify(spark: SparkSession, table: TableRef) -> Identity:
    """Look a Delta table up. Raises InputError where there is none."""
    try:
        row = spark.sql(f"DESCRIBE DETAIL {table.sql}").select("id", "properties", "tableFeatures").first()
    except AnalysisException as error:
        raise not_readable(table, None, error) from None
    if row is None:
        raise InputError(f"Table {table} is not a Delta table. Convert it with CONVERT TO DELTA.")
    return Identity(str(row["id"]), dict(row["properties"] or {}), frozenset(row["tableFeatures"] or ()))


def same_rows_since(spark: SparkSession, table: TableRef, version: int) -> bool:
    """Tell whether nothing but maintenance was committed to a table after a version that it has."""
    history = spark.sql(f"DESCRIBE HISTORY {table.sql}").select("version", "operation")
    row = history.agg(
        F.count_if(F.col("version") == version).alias("known"),
        F.count_if((F.col("version") > version) & ~F.col("operation").isin(*sorted(_SAME_ROWS))).alias("others"),
    ).first()
    return row is not None and row["known"] == 1 and row["others"] == 0


def changed_rows(spark: SparkSession, table: TableRef, *, after: int, upto: int) -> DataFrame:
    """Read the rows that were inserted, deleted, or updated (as they were and as they are) after one version.

    `upto` is the last version that counts, and above `after`. Spark's own errors say, some of them only when rows are
    read, that the feed does not reach back so far.
    """
    reader = spark.read.format("delta").option("readChangeFeed", "true")
    reader = reader.option("startingVersion", after + 1).option("endingVersion", upto)
    frame = reader.load(table.reference) if table.is_path else reader.table(table.reference)
    return frame.drop(*_FEED_COLUMNS)
