"""Frames of the contracts, for tests that need rows of any content."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.tables.contracts import CONTRACTS


def frame_of(spark: SparkSession, name: str, *, rows: int) -> DataFrame:
    """Give rows of a table's contract whose columns are null."""
    fields = CONTRACTS[name].to_structtype().fields
    return spark.range(rows).select([F.lit(None).cast(each.dataType).alias(each.name) for each in fields])
