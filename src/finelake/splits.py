"""Splits by a salted hash of a group: the same group always lands in the same split, however the data grows."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.config.settings import Splits
from finelake.rules.registry import Rule, register

SPLITS = ("train", "validation", "test")

ASSIGNED = {
    split: register(
        Rule(
            code=f"assigned_{split}",
            step="split",
            action="keep",
            summary=f"The group's salted hash puts the example into the {split} split.",
            policy_key="salt",
        )
    )
    for split in SPLITS
}

# 13 hex digits are 52 bits: every value is exact in a double.
_HEX_DIGITS = 13


def single_group() -> Column:
    """Name a conversation's own group: its user where one is known, else what has the same text."""
    return F.when(F.col("user_id").isNotNull(), F.concat(F.lit("user:"), "user_id")).otherwise(
        F.concat(F.lit("text:"), "dedup_key")
    )


def assign_splits(annotated: DataFrame, *, config: Splits) -> DataFrame:
    """Add group_key, split_hash (double in [0, 1)), split and sort_key to annotated conversations.

    All four are null where a conversation was set aside before it had a text to compare. The group is the user where
    one is known, else the conversation's duplicate group. Needs columns conversation_id, user_id, dedup_key. `sort_key`
    orders the published files: a hash, so that neighbours in a file have nothing to do with each other.
    """
    value = F.col("split_hash")
    split = (
        F.when(value < config.test, F.lit("test"))
        .when(value < config.test + config.validation, F.lit("validation"))
        .otherwise(F.lit("train"))
    )
    return (
        annotated.withColumn("group_key", single_group())
        .withColumn("split_hash", _unit_interval(config.salt, F.col("group_key")))
        .withColumn("split", split)
        .withColumn("sort_key", _salted(config.salt, F.col("conversation_id")))
    )


def window_sort_key() -> Column:
    """Give each window a place of its own in the file, from columns sort_key and window; the first has sort_key's."""
    scattered = F.sha2(F.concat("sort_key", F.lit("\u001f"), F.col("window").cast("string")), 256)
    return F.when(F.col("window") == 0, F.col("sort_key")).otherwise(scattered)


def _salted(salt: str, value: Column) -> Column:
    return F.sha2(F.concat(F.lit(f"{salt}\u001f"), value), 256)


def _unit_interval(salt: str, value: Column) -> Column:
    digits = F.substring(_salted(salt, value), 1, _HEX_DIGITS)
    return F.conv(digits, 16, 10).cast("double") / F.lit(float(16**_HEX_DIGITS))
