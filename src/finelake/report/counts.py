"""Bounded counts of a curation's tables: each function runs one Spark job and brings few rows to the driver."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from finelake.report.document import EXAMPLE_IDS, TOP_VALUES

BINS_AN_OCTAVE = 4
"""A bin of tokens or messages ends where the next begins, 2 ** (1/4) = 1.19 times higher."""

_MOST_CHECKS = 100
_MOST_BINS = 64 * BINS_AN_OCTAVE
_GROUP = ("step", "action", "reason")
_MEASURES = ("examples", "tokens", "trained_tokens")
# Hash functions whose smallest value picks an id: several, as in a small group some of them pick the same one.
_PICKS = tuple(f"pick_{number}" for number in range(3 * EXAMPLE_IDS))


def decision_counts(ledger: DataFrame) -> list[Row]:
    """Count the ledger by step, action and reason.

    Gives these and units, rows, values (parts of the column value, which is a list in privacy decisions), threshold
    (the smallest) and pick_0 ... (hashes of ids that `example_ids` looks up; null for loose rows). One row a reason
    and action, ordered.
    """
    picks = [
        F.min(F.when(F.col("conversation_id").isNotNull(), _hashed(number))).alias(name)
        for number, name in enumerate(_PICKS)
    ]
    counted = ledger.groupBy(*_GROUP).agg(
        F.count(F.lit(1)).alias("units"),
        F.coalesce(F.sum("rows"), F.lit(0)).alias("rows"),
        F.coalesce(F.sum(F.when(F.col("value").isNotNull(), F.size(F.split("value", ",")))), F.lit(0)).alias("values"),
        F.min("threshold").alias("threshold"),
        *picks,
    )
    return counted.orderBy(*_GROUP).collect()


def example_ids(ledger: DataFrame, counted: Sequence[Row]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Look up the ids behind the hashes of `decision_counts`, by step, action and reason."""
    key = F.concat_ws("\u001f", *_GROUP)
    matches = [
        _hashed(number) == F.try_element_at(_literal_map({_key(row): row[name] for row in counted}), key)
        for number, name in enumerate(_PICKS)
        if any(row[name] is not None for row in counted)
    ]
    if not matches:
        return {}
    either = matches[0]
    for match in matches[1:]:
        either = either | match
    found = ledger.where(either & F.col("conversation_id").isNotNull()).select(*_GROUP, "conversation_id").distinct()
    ids: dict[tuple[str, str, str], list[str]] = {}
    for row in found.limit(len(_PICKS) * len(counted)).collect():
        ids.setdefault((row["step"], row["action"], row["reason"]), []).append(row["conversation_id"])
    return {key: tuple(sorted(each)[:EXAMPLE_IDS]) for key, each in ids.items()}


def totals(examples: DataFrame) -> Row:
    """Give median, 95th percentile and maximum of tokens and message_count (`tokens_median`, ...), null when empty.

    Also the sums of trained_tokens, known_tokens (trained ones of examples with an origin) and human_tokens.
    """
    columns = []
    for name in ("tokens", "message_count"):
        columns += [
            F.percentile_approx(name, 0.5, 10_000).alias(f"{name}_median"),
            F.percentile_approx(name, 0.95, 10_000).alias(f"{name}_p95"),
            F.max(name).alias(f"{name}_largest"),
        ]
    known = F.when(F.size("origins") > 0, F.col("trained_tokens"))
    sums = {"trained_tokens": F.col("trained_tokens"), "known_tokens": known, "human_tokens": F.col("human_tokens")}
    columns += [F.sum(column).alias(name) for name, column in sums.items()]
    return examples.agg(*columns).collect()[0]


def audit_checks(audit: DataFrame) -> list[Row]:
    """Read the checks of the splits: check, found, allowed, passed, ordered; as many rows as there are checks."""
    return audit.select("check", "found", "allowed", "passed").orderBy("check").limit(_MOST_CHECKS).collect()


def shared_text(contamination: DataFrame) -> list[Row]:
    """Count the spans shared with evaluation data by source and side: conversations, spans, longest (words)."""
    spans = contamination.where(F.col("conversation_id").isNotNull())
    counted = spans.groupBy("source", "side").agg(
        F.count_distinct("conversation_id").alias("conversations"),
        F.count(F.lit(1)).alias("spans"),
        F.max(F.col("end") - F.col("start")).alias("longest"),
    )
    return counted.orderBy(F.desc("conversations"), "source", "side").limit(_MOST_CHECKS).collect()


def value_counts(examples: DataFrame, columns: Mapping[str, Column]) -> list[Row]:
    """Count the examples by each column on its own, all in one pass over narrow columns.

    Gives column, value (string, null for not known), other (true: the values beyond the `TOP_VALUES` commonest,
    together), values (how many different ones there are), examples, tokens, trained_tokens. Bins of tokens and
    message_count are columns too, named `tokens` and `messages`: their value is the number of the bin.
    """
    every = {**columns, "tokens": _bin("tokens"), "messages": _bin("message_count")}
    places = [
        F.struct(F.lit(name).alias("column"), column.cast("string").alias("value")) for name, column in every.items()
    ]
    counted = (
        examples.select(F.explode(F.array(*places)).alias("at"), "tokens", "trained_tokens")
        .groupBy("at.column", "at.value")
        .agg(
            F.count(F.lit(1)).alias("examples"),
            F.sum("tokens").alias("tokens"),
            F.sum("trained_tokens").alias("trained_tokens"),
        )
    )
    return _commonest(counted).limit(len(every) * _MOST_BINS).collect()


def bin_bounds(number: int) -> tuple[int, int]:
    """Give the smallest and the largest whole number of a bin; the largest is below the smallest where it has none."""
    first, after = (math.ceil(2.0 ** (at / BINS_AN_OCTAVE)) for at in (number, number + 1))
    return first, after - 1


def _commonest(counted: DataFrame) -> DataFrame:
    by_size = Window.partitionBy("column").orderBy(F.desc("examples"), F.col("value"))
    binned = F.col("column").isin("tokens", "messages")
    ranked = counted.withColumns(
        {
            "other": ~binned & (F.row_number().over(by_size) > TOP_VALUES),
            "values": F.count("value").over(Window.partitionBy("column")),
        }
    )
    return ranked.groupBy("column", "values", "other", F.when(~F.col("other"), F.col("value")).alias("value")).agg(
        *(F.sum(name).alias(name) for name in _MEASURES)
    )


def _bin(column: str) -> Column:
    # The smallest step above a bound is far larger than the logarithm's error, so a bound itself is never misplaced.
    return F.floor(F.log2(F.greatest(F.col(column), F.lit(1)).cast("double")) * BINS_AN_OCTAVE + F.lit(1e-9)).cast(
        "int"
    )


def _hashed(number: int) -> Column:
    return F.xxhash64(F.lit(number), F.col("conversation_id"))


def _key(row: Row) -> str:
    return "\u001f".join(row[name] for name in _GROUP)


def _literal_map(values: Mapping[str, int | None]) -> Column:
    pairs = [F.lit(part) for key, value in values.items() if value is not None for part in (key, value)]
    return F.create_map(*pairs)
