"""Near duplicates: conversations whose compared text has a verified Jaccard similarity at or above the threshold.

MinHash bands give candidate pairs, the true similarity of their shingle sets decides, and only a direct verified
neighbour of a kept conversation is merged. What is compared is the text that is trained, not the serialised chat: a
shared system prompt makes no strangers alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Duplicates
from finelake.relate import near_driver, near_spark
from finelake.relate.bands import Banding, choose_banding
from finelake.relate.graph_spark import Save
from finelake.relate.labels import name_of
from finelake.relate.related import PairsInMemory, pairs_of, resolve_on_driver, resolve_on_spark
from finelake.rules.registry import Rule, register
from finelake.tables.local import local_frame

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
_PAIR_VALUES = 32
_STEPS = 20
"""Steps of the histogram of similarities."""
_RESOLVED = f"{near_spark.VERIFIED}, merged boolean, joined_group string"
_FINDINGS = ("similarity", "merged", "first_group", "second_group", "joined_group")


@dataclass(frozen=True, slots=True)
class Near:
    """Verified near duplicates, and what the manifest tells of the search.

    pairs: first_id and second_id (string; the first is the better one by the order of `labels`), similarity (double, at
    or above the threshold), merged (boolean: the second one is merged into the first), first_group and second_group
    (string), joined_group (string, the earliest group that hangs together with these two), one row a pair that is
    evidence of something (see `related`).
    """

    pairs: DataFrame
    facts: dict[str, Any]


Measured: TypeAlias = "DataFrame | PairsInMemory"
"""Pairs with their similarity, on Spark (columns `near_spark.VERIFIED`) or on the driver."""


def near_duplicates(
    documents: DataFrame, signed: DataFrame, *, config: Duplicates, save: Save, at_most: int | None = None
) -> Near:
    """Find near duplicates among signed conversations (`signatures.signed`, written and read back).

    `documents` has the texts of these conversations, and may have others. `save` writes a frame and reads it back: it
    is called where more than `config.driver_values` numbers would have to be on the driver. `at_most` so many
    conversations are signed, where that is known: they are counted only where it leaves the way open.
    """
    banding = choose_banding(threshold=config.threshold, permutations=config.permutations)
    bound = config.driver_values // banding.bands
    candidates: int | None = None
    if (at_most is not None and at_most <= bound) or signed.count() <= bound:
        found = near_driver.candidates(signed, banding=banding)
        size, buckets = found.size, found.buckets
        measured = _measured(found, documents, config=config, save=save)
        candidates = len(found.low)
    else:
        size, buckets = near_spark.size_of(signed), near_spark.bucket_facts(signed, banding=banding)
        pairs = save(near_spark.candidate_pairs(signed, banding=banding))
        measured = save(near_spark.verified(pairs, documents=documents))
    histogram = _histogram(measured)
    resolved = _resolved(measured, config=config, spark=documents.sparkSession, save=save)
    ends = [name_of(F.col(end)).alias(f"{end}_id") for end in ("first", "second")]
    facts = {**asdict(size), **_curve(config, banding), **asdict(buckets)}
    facts |= {"candidates": candidates or sum(histogram.values()), "similarities": histogram}
    return Near(resolved.select(*ends, *_FINDINGS), facts)


def near_removals(pairs: DataFrame, *, threshold: float) -> DataFrame:
    """Select the removals (see `decide.decided`) from the pairs that `near_duplicates` found."""
    return pairs.where("merged").select(
        F.col("second_id").alias("conversation_id"),
        F.lit(DUPLICATE_NEAR.step).alias("step"),
        F.lit(DUPLICATE_NEAR.action).alias("action"),
        F.lit(DUPLICATE_NEAR.code).alias("reason"),
        F.col("first_id").alias("kept_id"),
        F.format_string("%.6f", "similarity").alias("value"),
        F.lit(str(threshold)).alias("threshold"),
    )


def near_groups(pairs: DataFrame) -> DataFrame:
    """Select which group is joined to an earlier one: columns single_group and joined_group, one row a joined group."""
    group = F.explode(F.array("first_group", "second_group")).alias("single_group")
    return pairs.select(group, "joined_group").where("single_group <> joined_group").distinct()


def _measured(found: near_driver.Candidates, documents: DataFrame, *, config: Duplicates, save: Save) -> Measured:
    if max(found.shingles, len(found.low) * _PAIR_VALUES) <= config.driver_values:
        return near_driver.verified(found, documents=documents, threshold=config.threshold)
    pairs = local_frame(documents.sparkSession, found.pairs())
    return save(near_spark.verified(pairs, documents=documents))


def _histogram(measured: Measured) -> dict[str, int]:
    """Count the pairs by similarity, in steps of a twentieth that are named by their lower border."""
    if isinstance(measured, PairsInMemory):
        steps, counts = np.unique(np.floor(measured.similarity * _STEPS), return_counts=True)
        found = dict(zip(steps.tolist(), counts.tolist(), strict=True))
    else:
        rows = measured.groupBy(F.floor(F.col("similarity") * _STEPS).alias("step")).count().limit(_STEPS + 1).collect()
        found = {row["step"]: row["count"] for row in rows}
    return {f"{step / _STEPS:.2f}": int(found[step]) for step in sorted(found)}


def _resolved(measured: Measured, *, config: Duplicates, spark: SparkSession, save: Save) -> DataFrame:
    """Resolve the pairs that are alike enough, on the driver where they fit."""
    if isinstance(measured, PairsInMemory):
        return local_frame(spark, resolve_on_driver(measured.alike(config.threshold)), _RESOLVED)
    alike = measured.where(F.col("similarity") >= config.threshold)
    if alike.count() * _PAIR_VALUES <= config.driver_values:
        return local_frame(spark, resolve_on_driver(pairs_of(alike.toArrow())), _RESOLVED)
    return resolve_on_spark(alike, save=save)


def _curve(config: Duplicates, banding: Banding) -> dict[str, Any]:
    return {
        "side": config.side,
        "threshold": config.threshold,
        "permutations": config.permutations,
        "bands": banding.bands,
        "rows_a_band": banding.rows,
        "s_curve": banding.curve(),
    }
