"""Links across splits: what is left when a component has grown to touch two splits that are pinned already."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window


def crossing(members: DataFrame, *, pairs: DataFrame | None) -> DataFrame:
    """List the less protected end of every link between splits: columns conversation_id, other_id, link.

    `members` (conversation_id, single_group, dedup_key, rank) are the conversations that are kept so far. A link is a
    shared user, the same text, or one of `pairs` (first_id, second_id: verified near duplicates). At most one row a
    conversation. Without these examples no chain of links leads from one split to another, since each of its steps
    would stay inside a split.
    """
    found = _sharing(members, "single_group", link="user").unionByName(_sharing(members, "dedup_key", link="text"))
    if pairs is not None:
        found = found.unionByName(_paired(members, pairs))
    first = F.min(F.struct("link", "other_id")).alias("first")
    return found.groupBy("conversation_id").agg(first).select("conversation_id", "first.*")


def _sharing(members: DataFrame, key: str, *, link: str) -> DataFrame:
    """Link members to the most protected one with the same key, the smallest id among equals."""
    best = F.max(F.struct("rank", "conversation_id")).over(Window.partitionBy(key))
    return (
        members.where(F.col(key).isNotNull())
        .withColumn("best", best)
        .where(F.col("rank") < F.col("best")["rank"])
        .select("conversation_id", F.col("best")["conversation_id"].alias("other_id"), F.lit(link).alias("link"))
    )


def _paired(members: DataFrame, pairs: DataFrame) -> DataFrame:
    first = members.select(F.col("conversation_id").alias("first_id"), F.col("rank").alias("first_rank"))
    second = members.select(F.col("conversation_id").alias("second_id"), F.col("rank").alias("second_rank"))
    ends = pairs.select("first_id", "second_id").join(first, "first_id").join(second, "second_id")
    lower = F.col("first_rank") < F.col("second_rank")
    return ends.where(F.col("first_rank") != F.col("second_rank")).select(
        F.when(lower, F.col("first_id")).otherwise(F.col("second_id")).alias("conversation_id"),
        F.when(lower, F.col("second_id")).otherwise(F.col("first_id")).alias("other_id"),
        F.lit("near").alias("link"),
    )
