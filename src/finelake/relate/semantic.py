"""Semantic near duplicates: conversations that say the same in other words, by the cosine of their vectors.

As with near duplicates of the text, a conversation is merged only into a kept one whose similarity to it was verified,
and the pairs are kept as evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.config.settings import Semantic
from finelake.relate.graph import Edges, keepers
from finelake.relate.graph_spark import Save, keepers_spark
from finelake.relate.labels import name_of
from finelake.relate.semantic_pairs import fit_centres, semantic_pairs
from finelake.rules.registry import Rule, register
from finelake.tables.local import local_frame

DUPLICATE_SEMANTIC = register(
    Rule(
        code="duplicate_semantic",
        step="duplicates",
        action="merge",
        summary="It says what another conversation says: value is the cosine of the two embeddings.",
        policy_key="semantic",
    )
)

_DRIVER_PAIRS = 200_000
_SCHEMA = "first string, second string, similarity double, merged boolean"


@dataclass(frozen=True, slots=True)
class Found:
    """Verified pairs (first_id, second_id string, similarity double, merged boolean) and facts for the manifest."""

    pairs: DataFrame
    facts: dict[str, Any]


def semantic_duplicates(
    documents: DataFrame, vectors: DataFrame, *, config: Semantic, save: Save, most: int = _DRIVER_PAIRS
) -> Found:
    """Find semantic near duplicates among documents (see relate.documents) that have a vector.

    `vectors` has conversation_id and vector array<float>; others resemble nothing. Up to `most` pairs are resolved on
    the driver, more of them on Spark with the same result. `save` writes a frame and reads it back.
    """
    vectored = documents.select("conversation_id", "label").join(vectors, on="conversation_id", how="inner")
    centres = fit_centres(vectored, config=config)
    facts: dict[str, Any] = {"threshold": config.threshold, "clusters": len(centres), "probes": config.probes}
    if not len(centres):
        return Found(_named(local_frame(documents.sparkSession, [], _SCHEMA)), facts | {"pairs": 0, "capped": 0})
    measured = save(semantic_pairs(vectored, centres=centres, config=config))
    counted = measured.agg(F.count(F.lit(1)).alias("pairs"), F.count_if("capped").alias("capped")).first()
    facts |= counted.asDict() if counted is not None else {}
    resolved = _on_driver(measured) if facts["pairs"] <= most else _on_spark(measured, save=save)
    return Found(_named(resolved), facts)


def semantic_removals(pairs: DataFrame, *, threshold: float) -> DataFrame:
    """Select the removals (see `decide.decided`) from the pairs found."""
    return pairs.where("merged").select(
        F.col("second_id").alias("conversation_id"),
        F.lit(DUPLICATE_SEMANTIC.step).alias("step"),
        F.lit(DUPLICATE_SEMANTIC.action).alias("action"),
        F.lit(DUPLICATE_SEMANTIC.code).alias("reason"),
        F.col("first_id").alias("kept_id"),
        F.format_string("%.6f", "similarity").alias("value"),
        F.lit(str(threshold)).alias("threshold"),
    )


def _on_driver(measured: DataFrame) -> DataFrame:
    rows = measured.select("first", "second", "similarity").orderBy("first", "second").limit(_DRIVER_PAIRS).collect()
    ordered = sorted({row[end] for row in rows for end in ("first", "second")})
    places = {label: place for place, label in enumerate(ordered)}
    low = np.array([places[row["first"]] for row in rows], np.int64)
    high = np.array([places[row["second"]] for row in rows], np.int64)
    merged, kept = keepers(Edges(len(ordered), low, high))
    into = dict(zip(merged.tolist(), kept.tolist(), strict=True))
    resolved = [
        (row["first"], row["second"], row["similarity"], into.get(there) == here)
        for row, here, there in zip(rows, low.tolist(), high.tolist(), strict=True)
    ]
    return local_frame(measured.sparkSession, resolved, _SCHEMA)


def _on_spark(measured: DataFrame, *, save: Save) -> DataFrame:
    chosen = keepers_spark(measured, save=save).select(
        F.col("kept_label").alias("first"), F.col("label").alias("second"), F.lit(True).alias("chosen")
    )
    joined = measured.join(chosen, on=["first", "second"], how="left")
    return joined.select("first", "second", "similarity", F.coalesce("chosen", F.lit(False)).alias("merged"))


def _named(resolved: DataFrame) -> DataFrame:
    ends = [name_of(F.col(end)).alias(f"{end}_id") for end in ("first", "second")]
    return resolved.select(*ends, "similarity", "merged")
