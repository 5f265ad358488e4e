"""Groups: what must not be parted between splits, and the salted hash of it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# 13 hex digits are 52 bits: every value is exact in a double.
_HEX_DIGITS = 13


def single_group() -> Column:
    """Name a conversation's own group, from columns user_id and dedup_key: its user, or its text where none is known.

    Null where there is neither.
    """
    return F.when(F.col("user_id").isNotNull(), F.concat(F.lit("user:"), "user_id")).otherwise(
        F.concat(F.lit("text:"), "dedup_key")
    )


def with_groups(rows: DataFrame, groups: DataFrame | None) -> DataFrame:
    """Add single_group and group_key: the group that `groups` (single_group, joined_group) joins it to, else itself."""
    own = rows.withColumn("single_group", single_group())
    if groups is None:
        return own.withColumn("group_key", F.col("single_group"))
    joined = own.join(groups.select("single_group", "joined_group"), on="single_group", how="left")
    return joined.withColumn("group_key", F.coalesce("joined_group", "single_group")).drop("joined_group")


def salted(salt: str, value: Column) -> Column:
    """Hash a text with a salt (SHA-256, hex)."""
    return F.sha2(F.concat(F.lit(f"{salt}\u001f"), value), 256)


def unit_interval(salt: str, value: Column) -> Column:
    """Hash a text with a salt to a double in [0, 1)."""
    digits = F.substring(salted(salt, value), 1, _HEX_DIGITS)
    return F.conv(digits, 16, 10).cast("double") / F.lit(float(16**_HEX_DIGITS))
