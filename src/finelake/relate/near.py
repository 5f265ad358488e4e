"""Near duplicates: conversations whose compared text has a verified Jaccard similarity at or above the threshold.

MinHash bands give candidate pairs, the true similarity of their shingle sets decides, and only a direct verified
neighbour of a kept conversation is merged. What is compared is the text that is trained, not the serialised chat: a
shared system prompt makes no strangers alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Duplicates
from finelake.relate import near_driver, near_spark
from finelake.relate.bands import Banding, choose_banding
from finelake.relate.graph_spark import Save
from finelake.relate.labels import name_of
from finelake.relate.related import resolve_on_driver, resolve_on_spark
from finelake.rules.registry import Rule, register

DUPLICATE_NEAR = register(
    Rule(
        code="duplicate_near",
        step="duplicates",
        action="merge",
        summary="What would be trained is nearly another conversation's: value is the Jaccard similarity of the two.",
        policy_key="near",
    )
)

# A pair takes the room of this many numbers: two labels, two groups, two times, a similarity.
_PAIR_VALUES = 64
_STEPS = 20
"""Steps of the histogram of similarities."""


@dataclass(frozen=True, slots=True)
class Near:
    """What near duplicates mean for others.

    pairs: run_id, first_id, second_id, similarity (double), the kept-first pairs at or above the threshold. removals:
    conversation_id, step, action, reason, kept_id, value, threshold. groups: single_group, joined_group, one row a
    group that has a pair with an earlier one. facts: what the manifest tells.
    """

    pairs: DataFrame
    removals: DataFrame
    groups: DataFrame
    facts: dict[str, Any]


Measured: TypeAlias = "DataFrame | pa.Table"
"""Pairs with the columns `near_spark.VERIFIED`, on the driver or on Spark."""


def near_duplicates(documents: DataFrame, signed: DataFrame, *, config: Duplicates, run_id: str, save: Save) -> Near:
    """Find near duplicates among signed conversations (`signatures.signed`, written and read back).

    `documents` has the texts of these conversations, and may have others. `save` writes a frame and reads it back: it
    is called where more than `config.driver_values` numbers would have to be on the driver.
    """
    banding = choose_banding(threshold=config.threshold, permutations=config.permutations)
    size = _size(signed)
    if size["conversations"] * banding.bands <= config.driver_values:
        found = near_driver.candidates(signed, banding=banding)
        measured, buckets = _measured(found, documents, bound=config.driver_values, save=save), found.buckets
    else:
        pairs = save(near_spark.candidate_pairs(signed, banding=banding))
        measured = save(near_spark.verified(pairs, documents=documents))
        buckets = near_spark.bucket_facts(signed, banding=banding)
    histogram = _histogram(measured)
    similar = _similar(measured, threshold=config.threshold, bound=config.driver_values)
    merged, groups = _resolved(similar, documents.sparkSession, save=save)
    facts = {**size, **_curve(config, banding), **asdict(buckets), **_counts(histogram, similar)}
    names = [name_of(F.col(end)).alias(f"{end}_id") for end in ("first", "second")]
    evidence = _frame(similar, documents.sparkSession).select(F.lit(run_id).alias("run_id"), *names, "similarity")
    return Near(evidence, _removals(merged, threshold=config.threshold), groups, facts)


def _size(signed: DataFrame) -> dict[str, int]:
    row = signed.agg(F.count(F.lit(1)).alias("rows"), F.count_if("hashed").alias("hashed")).first()
    assert row is not None
    return {"conversations": row["rows"], "hashed": row["hashed"], "reused": row["rows"] - row["hashed"]}


def _measured(found: near_driver.Candidates, documents: DataFrame, *, bound: int, save: Save) -> Measured:
    if max(found.shingles, len(found.low) * _PAIR_VALUES) <= bound:
        return near_driver.verified(found, documents=documents)
    pairs = documents.sparkSession.createDataFrame(found.pairs())
    return save(near_spark.verified(pairs, documents=documents))


def _histogram(measured: Measured) -> dict[str, int]:
    """Count the pairs by similarity, in steps of a twentieth that are named by their lower border."""
    if isinstance(measured, pa.Table):
        steps, counts = np.unique(np.floor(measured.column("similarity").to_numpy() * _STEPS), return_counts=True)
        found = dict(zip(steps.tolist(), counts.tolist(), strict=True))
    else:
        rows = measured.groupBy(F.floor(F.col("similarity") * _STEPS).alias("step")).count().limit(_STEPS + 1).collect()
        found = {row["step"]: row["count"] for row in rows}
    return {f"{step / _STEPS:.2f}": int(found[step]) for step in sorted(found)}


def _similar(measured: Measured, *, threshold: float, bound: int) -> Measured:
    """Take the pairs that are alike enough, to the driver where they fit."""
    if isinstance(measured, pa.Table):
        return measured.filter(pc.greater_equal(measured.column("similarity"), threshold))
    alike = measured.where(F.col("similarity") >= threshold)
    return alike.toArrow() if alike.count() * _PAIR_VALUES <= bound else alike


def _resolved(similar: Measured, spark: SparkSession, *, save: Save) -> tuple[DataFrame, DataFrame]:
    if isinstance(similar, pa.Table):
        merged, groups = resolve_on_driver(similar)
        return _frame(merged, spark), _frame(groups, spark)
    return resolve_on_spark(similar, save=save)


def _frame(found: Measured, spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(found) if isinstance(found, pa.Table) else found


def _removals(merged: DataFrame, *, threshold: float) -> DataFrame:
    return merged.select(
        name_of(F.col("label")).alias("conversation_id"),
        F.lit(DUPLICATE_NEAR.step).alias("step"),
        F.lit(DUPLICATE_NEAR.action).alias("action"),
        F.lit(DUPLICATE_NEAR.code).alias("reason"),
        name_of(F.col("kept_label")).alias("kept_id"),
        F.format_string("%.6f", "similarity").alias("value"),
        F.lit(str(threshold)).alias("threshold"),
    )


def _curve(config: Duplicates, banding: Banding) -> dict[str, Any]:
    return {
        "side": config.side,
        "threshold": config.threshold,
        "permutations": config.permutations,
        **asdict(banding),
        "s_curve": banding.curve(),
    }


def _counts(histogram: dict[str, int], similar: Measured) -> dict[str, Any]:
    verified = similar.num_rows if isinstance(similar, pa.Table) else similar.count()
    return {"candidates": sum(histogram.values()), "verified": verified, "similarities": histogram}
