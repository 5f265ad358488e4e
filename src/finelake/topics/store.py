"""A topic model as rows of the table `topics`, so that later runs use the same topics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, Row, SparkSession

from finelake.config.settings import Topics
from finelake.tables.local import local_frame
from finelake.topics.model import TopicModel

_SCHEMA = (
    "part string, position int, text string, weight double, size bigint, vector array<float>, "
    "characters int, config_hash string"
)
# Counted up when fitting or assigning changes its meaning, so that stored models of before are not used.
_VERSION = 1


def topics_hash(config: Topics, *, vectors: str | None) -> str:
    """Give 16 hex digits of what a model is fitted by; `vectors` names where vectors come from (None: terms)."""
    content = {**config.model_dump(mode="json", exclude={"enabled"}), "vectors": vectors, "version": _VERSION}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def model_frame(spark: SparkSession, model: TopicModel) -> DataFrame:
    """Give the model as rows: part `topic` (text: label, weight: floor) and part `term` (weight: idf)."""
    common = (model.characters, model.config_hash)
    named = zip(model.labels, model.floors, model.sizes, model.centroids, strict=True)
    known = zip(model.vocabulary, model.idf, model.projection, strict=True)
    rows: list[tuple[Any, ...]] = [
        ("topic", place, label, floor, size, centroid.tolist(), *common)
        for place, (label, floor, size, centroid) in enumerate(named)
    ]
    rows += [
        ("term", place, term, float(idf), None, vector.tolist(), *common)
        for place, (term, idf, vector) in enumerate(known)
    ]
    return local_frame(spark, rows, schema=_SCHEMA)


def stored_model(rows: DataFrame, *, config_hash: str) -> TopicModel | None:
    """Read the model back from the table's rows; None where it was fitted by other settings, or has no topics."""
    found = rows.where(rows["config_hash"] == config_hash).orderBy("part", "position").collect()
    topics = [row for row in found if row["part"] == "topic"]
    words = [row for row in found if row["part"] == "term"]
    if not topics:
        return None
    return TopicModel(
        config_hash=config_hash,
        characters=topics[0]["characters"],
        labels=tuple(row["text"] for row in topics),
        sizes=tuple(row["size"] for row in topics),
        floors=tuple(row["weight"] for row in topics),
        centroids=_vectors(topics),
        vocabulary=tuple(row["text"] for row in words),
        idf=np.array([row["weight"] for row in words], np.float64),
        projection=_vectors(words),
    )


def _vectors(rows: Sequence[Row]) -> Any:
    return np.array([row["vector"] for row in rows], np.float32) if rows else np.empty((0, 0), np.float32)
