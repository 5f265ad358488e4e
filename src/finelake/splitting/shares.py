"""Exact shares in each stratum: the groups of a stratum take the points of an even sequence, one after the other.

The i-th group of a stratum gets the point frac(offset + i * 0.618...), the additive recurrence of the golden ratio
(Kuipers and Niederreiter, Uniform Distribution of Sequences, 1974, 2.3): of any n groups in a row the share that falls
into an interval is off by little more than one group. New groups are put in the order of their salted hash, and their
numbers go on after those that are pinned, so shares stay exact while data grows. The offset is the stratum's own salted
hash: a stratum of a single group is in the test split as often as the share says.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from finelake.config.settings import Splits
from finelake.errors import ConfigError
from finelake.splitting.groups import unit_interval

_GOLDEN = 0.6180339887498949
_UNKNOWN = "?"


def stratum_of(rows: DataFrame, *, config: Splits) -> Column:
    """Name the stratum of a row by the columns of `splits.stratify`. Raises ConfigError where one is missing."""
    for name in config.stratify:
        if name not in rows.columns:
            raise ConfigError(
                f"splits.stratify names {name}, which conversations here do not have. Map or switch on what gives it, "
                f"or take it out."
            )
    parts = [
        F.concat(F.lit(f"{name}="), F.coalesce(F.col(name).cast("string"), F.lit(_UNKNOWN))) for name in config.stratify
    ]
    return F.concat_ws(" ", *parts)


def shared_out(members: DataFrame, *, pins: DataFrame | None, config: Splits) -> DataFrame:
    """Give each group its point in [0, 1): columns group_key, point.

    `members` (group_key, stratum, split_hash) are the conversations of groups that have no split yet, `pins` those
    that have (stratum, group_key). The stratum of a group is its most frequent one.
    """
    groups = members.groupBy("group_key").agg(
        F.mode("stratum", deterministic=True).alias("stratum"), F.min("split_hash").alias("split_hash")
    )
    order = Window.partitionBy("stratum").orderBy("split_hash", "group_key")
    numbered = groups.withColumn("number", F.row_number().over(order) - 1)
    if pins is not None:
        before = pins.groupBy("stratum").agg(F.count_distinct("group_key").alias("before"))
        numbered = numbered.join(before, on="stratum", how="left")
        numbered = numbered.withColumn("number", F.col("number") + F.coalesce("before", F.lit(0)))
    point = unit_interval(config.salt, F.concat(F.lit("stratum:"), "stratum")) + F.col("number") * F.lit(_GOLDEN)
    return numbered.select("group_key", (point - F.floor(point)).alias("point"))
