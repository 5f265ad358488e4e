"""Which system prompts the examples carry, counted: several of them in one set are rarely meant."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

LISTED = 10


def summarise_prompts(examples: DataFrame) -> dict[str, Any]:
    """Count distinct system prompts and the examples of the most frequent ones (key None: no system prompt).

    Needs the column system_key; gives `distinct`, `without` and at most `LISTED` entries of `most`.
    """
    counts = examples.groupBy("system_key").agg(F.count(F.lit(1)).alias("examples"))
    totals = counts.agg(
        F.count("system_key").alias("distinct"),
        F.coalesce(F.sum(F.when(F.col("system_key").isNull(), F.col("examples"))), F.lit(0)).alias("without"),
    )
    found = totals.collect()[0]
    known = counts.where(F.col("system_key").isNotNull())
    most = known.orderBy(F.desc("examples"), "system_key").limit(LISTED).collect()
    return {
        "distinct": int(found["distinct"]),
        "without": int(found["without"]),
        "most": [{"key": row["system_key"], "examples": int(row["examples"])} for row in most],
    }
