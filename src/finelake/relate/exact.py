"""Exact duplicates: conversations whose trained text is the same after normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.rules.registry import Rule, register

DUPLICATE_EXACT = register(
    Rule(
        code="duplicate_exact",
        step="duplicates",
        action="merge",
        summary="What would be trained equals another conversation's after normalisation; the kept id is recorded.",
        policy_key="exact",
    )
)


def exact_duplicates(candidates: DataFrame) -> DataFrame:
    """Find conversations to merge, from columns conversation_id, dedup_key and first_at.

    Gives a frame of removals (see `decide.decided`), one row a conversation that is not the kept one. The kept one is
    the earliest (unknown times last), then the smallest id: a total order, so the choice is the same on every run.
    """
    rank = F.struct(F.col("first_at").isNull(), F.col("first_at"), F.col("conversation_id"))
    keys = candidates.select("conversation_id", "dedup_key", "first_at")
    kept = (
        keys.groupBy("dedup_key")
        .agg(F.min(rank).getField("conversation_id").alias("kept_id"), F.count(F.lit(1)).alias("copies"))
        .where(F.col("copies") > 1)
    )
    return (
        keys.join(kept, on="dedup_key", how="inner")
        .where(F.col("conversation_id") != F.col("kept_id"))
        .select(
            "conversation_id",
            F.lit(DUPLICATE_EXACT.step).alias("step"),
            F.lit(DUPLICATE_EXACT.action).alias("action"),
            F.lit(DUPLICATE_EXACT.code).alias("reason"),
            "kept_id",
            F.lit(None).cast("string").alias("value"),
            F.lit(None).cast("string").alias("threshold"),
        )
    )


def followed(removals: Sequence[DataFrame]) -> list[DataFrame]:
    """Let a copy of a conversation that a later one of these frames merges name the one that is kept in the end."""
    found = list(removals)
    for n, earlier in enumerate(found):
        for later in found[n + 1 :]:
            earlier = _follow(earlier, later)
        found[n] = earlier
    return found


def _follow(earlier: DataFrame, later: DataFrame) -> DataFrame:
    onward = later.select(F.col("conversation_id").alias("kept_id"), F.col("kept_id").alias("onward_id"))
    joined = earlier.join(onward, on="kept_id", how="left")
    return joined.withColumn("kept_id", F.coalesce("onward_id", "kept_id")).select(*earlier.columns)
