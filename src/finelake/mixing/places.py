"""The place of a conversation in the order it is chosen by, and the last place that a quota still holds.

The place is a number of 63 bits: the salted hash of the group, then of the conversation. So a whole group (a user) goes
before the next one begins, at most one group of a stratum is divided, and new data moves a limit instead of shuffling
what was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finelake.errors import InputError
from finelake.tables.local import local_frame

_PLACE_BITS = 63
_BUCKET_BITS = 12
_SHIFT = _PLACE_BITS - _BUCKET_BITS
MOST_STRATA = 50_000
"""So many values of a column may exceed their quota; more would not be held on the driver."""


def place_of(salt: str) -> Column:
    """Give the place, from columns group_key and conversation_id."""
    group = F.shiftrightunsigned(F.xxhash64(F.lit(f"mix {salt}"), "group_key"), 33)
    own = F.shiftrightunsigned(F.xxhash64(F.lit(f"mix {salt}"), "conversation_id"), 32)
    return F.shiftleft(group, 32).bitwiseOR(own)


def last_places(rows: DataFrame, *, quotas: Mapping[str, int] | int) -> dict[str, int]:
    """Find, for each stratum with more tokens than its quota, the last place that fits; -1 where nothing does.

    Needs columns stratum string, place bigint and tokens bigint. `quotas` are tokens by stratum (others are free), or
    one number for every stratum. Only the bucket that the quota ends in is sorted; one row a stratum comes to the
    driver. Raises InputError above `MOST_STRATA`.
    """
    limited = _with_quota(rows, quotas).withColumn("bucket", F.shiftright("place", _SHIFT))
    upto = Window.partitionBy("stratum").orderBy("bucket").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    buckets = (
        limited.groupBy("stratum", "bucket")
        .agg(F.sum("tokens").alias("held"), F.max("quota").alias("quota"))
        .withColumn("through", F.sum("held").over(upto))
        .withColumn("before", F.col("through") - F.col("held"))
    )
    border = buckets.where((F.col("before") <= F.col("quota")) & (F.col("through") > F.col("quota")))
    inside = limited.drop("quota").join(
        border.select("stratum", "bucket", "before", "quota"), on=["stratum", "bucket"], how="inner"
    )
    peers = Window.partitionBy("stratum").orderBy("place").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    fits = F.col("before") + F.sum("tokens").over(peers) <= F.col("quota")
    last = F.coalesce(F.max(F.when(F.col("fits"), F.col("place"))), F.shiftleft(F.max("bucket"), _SHIFT) - 1)
    found = inside.withColumn("fits", fits).groupBy("stratum").agg(last.alias("last")).limit(MOST_STRATA + 1).collect()
    if len(found) > MOST_STRATA:
        raise InputError(
            f"mixing: more than {MOST_STRATA} values of a column exceed their quota. Raise the cap, or cap a column "
            "with fewer values."
        )
    return {row["stratum"]: row["last"] for row in found}


def _with_quota(rows: DataFrame, quotas: Mapping[str, int] | int) -> DataFrame:
    if isinstance(quotas, int):
        return rows.withColumn("quota", F.lit(quotas).cast("bigint"))
    frame = local_frame(rows.sparkSession, sorted(quotas.items()), schema="stratum string, quota bigint")
    return rows.join(F.broadcast(frame), on="stratum", how="inner")
