"""What each policy for long conversations would keep and lose, counted over the annotated table."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_COLUMNS = ("whole_tokens", "replies", "window_tokens", "window_replies", "last_tokens", "last_replies")


def summarise_long(annotated: DataFrame, *, limit: int, policy: str) -> dict[str, Any]:
    """Count conversations longer than `limit` tokens and, by policy, the tokens of examples and the replies trained.

    One Spark job over narrow columns. Windows may hold more tokens than came in: context repeats.
    `not_cut` conversations have a turn or exchange longer than the limit and are set aside by every policy.
    """
    long = annotated.where(F.col("window_tokens").isNotNull())
    sums = [F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in _COLUMNS]
    row = long.agg(F.count(F.lit(1)).alias("found"), F.count_if(F.col("window_tokens") == 0).alias("not_cut"), *sums)
    counts = row.collect()[0].asDict()
    whole, replies = int(counts["whole_tokens"]), int(counts["replies"])

    def kept(tokens: int, trained: int) -> dict[str, int]:
        return {"tokens": tokens, "replies": trained, "replies_lost": replies - trained}

    return {
        "limit": limit,
        "policy": policy,
        "long_conversations": int(counts["found"]),
        "not_cut": int(counts["not_cut"]),
        "tokens": whole,
        "replies": replies,
        "policies": {
            "window": kept(int(counts["window_tokens"]), int(counts["window_replies"])),
            "keep_last": kept(int(counts["last_tokens"]), int(counts["last_replies"])),
            "drop": kept(0, 0),
        },
    }
