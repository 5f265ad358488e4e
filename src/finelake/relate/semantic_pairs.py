"""Candidate pairs of vectors on Spark: clusters first, then blocks of each cluster against each other.

A vector is looked for in its nearest clusters; a cluster is cut into blocks by hash, so that memory stays bounded and
no member of a large cluster goes without comparison. The work of a cluster grows with the square of its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.config.settings import Semantic
from finelake.relate.cosine import Floats, Pairs, similar_pairs, starred
from finelake.topics.assign import vectors_of
from finelake.topics.clusters import cluster, unit

PAIR_SCHEMA = "first string, second string, similarity double, capped boolean"
BLOCK = 2_000
"""So many vectors a block at most, on average: a task compares two blocks."""

_ROWS_A_CLUSTER = 500
_MOST_CLUSTERS = 256
_PROBED = "label string, vector array<float>, cluster int, nearest boolean"

Batches = Iterable[pa.RecordBatch]


def fit_centres(vectored: DataFrame, *, config: Semantic) -> Floats:
    """Cluster a sample by salted hash; gives centres float32 (clusters, dimensions), none where there are no vectors.

    Needs label string and vector array<float>. Two jobs; `config.sample` vectors come to the driver.
    """
    rank = F.xxhash64(F.lit(f"semantic {config.seed}"), "label").alias("rank")
    drawn = vectored.where(F.col("vector").isNotNull()).select("vector", rank, "label")
    rows = drawn.orderBy("rank", "label").limit(config.sample).collect()
    if not rows:
        return np.empty((0, 0), np.float32)
    width = len(rows[0]["vector"])
    fitting = np.array([row["vector"] for row in rows if len(row["vector"]) == width], np.float32)
    usable = fitting[np.isfinite(fitting).all(axis=1) & (fitting != 0).any(axis=1)]
    if not len(usable):
        return np.empty((0, 0), np.float32)
    total = vectored.count() if config.clusters is None else 0
    count = config.clusters or min(max(total // _ROWS_A_CLUSTER, 1), _MOST_CLUSTERS)
    return cluster(unit(usable), count=count, seed=config.seed).centres


def semantic_pairs(vectored: DataFrame, *, centres: Floats, config: Semantic, block: int = BLOCK) -> DataFrame:
    """Find pairs at or above the threshold: labels first < second, similarity (cosine, six digits), capped boolean.

    `capped` says that the pair stands in a block so dense that pairs with its leading members alone were kept.
    """
    probed = vectored.select("label", "vector").mapInArrow(_probing(centres, config.probes), _PROBED)
    sizes = probed.groupBy("cluster").agg(F.ceil(F.count(F.lit(1)) / F.lit(block)).cast("int").alias("blocks"))
    own = F.pmod(F.xxhash64("label"), F.col("blocks")).cast("int")
    every = F.explode(F.sequence(F.lit(0), F.col("blocks") - 1))
    placed = probed.join(F.broadcast(sizes), on="cluster", how="inner").withColumn("own", own)
    copies = placed.select("*", every.alias("other")).select(
        "cluster",
        F.least("own", "other").alias("one"),
        F.greatest("own", "other").alias("two"),
        (F.col("own") <= F.col("other")).alias("in_one"),
        "label",
        "vector",
        "nearest",
    )
    found = copies.groupBy("cluster", "one", "two").applyInArrow(_comparing(config.threshold), PAIR_SCHEMA)
    return found.groupBy("first", "second").agg(
        F.max("similarity").alias("similarity"), F.max("capped").alias("capped")
    )


def _probing(centres: Floats, probes: int) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        wanted = min(probes, len(centres))
        for batch in batches:
            vectors = vectors_of(batch.column("vector"), width=centres.shape[1])
            usable = np.flatnonzero(np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1))
            rows = unit(vectors[usable])
            # einsum and not a matrix product: BLAS rounds a row differently in another batch.
            order = np.argsort(-np.einsum("nd,kd->nk", rows, centres), axis=1, kind="stable")[:, :wanted]
            places = np.repeat(np.arange(len(usable)), wanted)
            columns = [
                batch.column("label").take(pa.array(usable[places])),
                _lists(rows[places]),
                pa.array(order.ravel().astype(np.int32)),
                pa.array(np.tile(np.arange(wanted) == 0, len(usable))),
            ]
            yield pa.RecordBatch.from_arrays(columns, ["label", "vector", "cluster", "nearest"])

    return run


def _comparing(threshold: float) -> Callable[[pa.Table], pa.Table]:
    def run(group: pa.Table) -> pa.Table:
        group = group.combine_chunks().sort_by("label")
        vectors = group.column("vector").combine_chunks()
        rows = np.asarray(vectors.flatten(), np.float32).reshape(group.num_rows, -1)
        within = group.column("one")[0] == group.column("two")[0]
        side = np.asarray(group.column("in_one").combine_chunks().to_pylist(), bool)
        found = _between(rows, side, within=bool(within), threshold=threshold)
        nearest = np.asarray(group.column("nearest").combine_chunks().to_pylist(), bool)
        wanted = nearest[found.left] | nearest[found.right]
        labels = group.column("label").combine_chunks()
        columns = [
            labels.take(pa.array(found.left[wanted])),
            labels.take(pa.array(found.right[wanted])),
            pa.array(found.cosine[wanted]),
            pa.array(np.full(int(wanted.sum()), found.capped)),
        ]
        return pa.Table.from_arrays(columns, names=["first", "second", "similarity", "capped"])

    return run


def _between(rows: Floats, side: np.ndarray, *, within: bool, threshold: float) -> Pairs:
    """Compare all rows, or those of one side with those of the other; positions are those in `rows`, left < right."""
    if within:
        return starred(similar_pairs(rows, None, threshold=threshold), count=len(rows))
    one, two = np.flatnonzero(side), np.flatnonzero(~side)
    found = similar_pairs(rows[one], rows[two], threshold=threshold)
    ends = np.stack([one[found.left], two[found.right]])
    return starred(Pairs(ends.min(axis=0), ends.max(axis=0), found.cosine), count=len(rows))


def _lists(rows: Floats) -> pa.Array:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(rows.ravel(), pa.float32()))
