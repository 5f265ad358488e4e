"""Keepers and groups of a graph of any size, with DataFrames alone; the same results as `graph`.

Every round is materialised by the caller's `save`, since a plan that grows by a join a round cannot be planned for
long. Frames of edges have the columns first and second, first < second.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from finelake.relate.graph import KEEPER_ROUNDS

Save = Callable[[DataFrame], DataFrame]
"""Write a frame and read it back."""


def keepers_spark(edges: DataFrame, *, save: Save) -> DataFrame:
    """Choose which nodes are merged into which: columns label, kept_label (see `graph.keepers`)."""
    pairs = edges.select("first", "second").distinct()
    nodes = pairs.select(F.explode(F.array("first", "second")).alias("label")).distinct()
    state = save(nodes.withColumn("state", F.lit("open")))
    for _ in range(KEEPER_ROUNDS):
        first = state.select(F.col("label").alias("first"), F.col("state").alias("first_state"))
        by_second = pairs.join(first, "first").groupBy(F.col("second").alias("label"))
        seen = by_second.agg(
            F.max((F.col("first_state") == "kept").cast("int")).alias("kept"),
            F.max((F.col("first_state") == "open").cast("int")).alias("waiting"),
        )
        following = (
            F.when(F.col("state") != "open", F.col("state"))
            .when(F.col("kept") == 1, F.lit("merged"))
            .when(F.coalesce("waiting", F.lit(0)) == 0, F.lit("kept"))
            .otherwise(F.lit("open"))
        )
        state = save(state.join(seen, "label", "left").select("label", following.alias("state")))
        if state.where("state = 'open'").limit(1).count() == 0:
            break
    kept = state.where("state = 'kept'").select(F.col("label").alias("first"))
    merged = state.where("state = 'merged'").select(F.col("label").alias("second"))
    return (
        pairs.join(kept, "first").join(merged, "second").groupBy("second").agg(F.min("first").alias("kept_label"))
    ).select(F.col("second").alias("label"), "kept_label")


def components_spark(edges: DataFrame, *, save: Save) -> DataFrame:
    """Give each node with an edge the earliest node of its component: columns label, component.

    Large-star and small-star in turn until nothing changes (Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii,
    "Connected Components in MapReduce and Beyond", 2014): the number of rounds grows with the logarithm of the size.
    """
    current = save(edges.select("first", "second").distinct())
    before: tuple[int, str] | None = None
    while True:
        current = save(_small_star(_large_star(current)))
        now = _fingerprint(current)
        if now == before:
            break
        before = now
    roots = current.select(F.col("first").alias("label"), F.col("first").alias("component"))
    return (
        current.select(F.col("second").alias("label"), F.col("first").alias("component")).unionByName(roots).distinct()
    )


def _large_star(edges: DataFrame) -> DataFrame:
    """Link every later neighbour of a node to the earliest of the node and its neighbours."""
    both = edges.select(F.col("first").alias("node"), F.col("second").alias("other")).unionByName(
        edges.select(F.col("second").alias("node"), F.col("first").alias("other"))
    )
    earliest = F.least("node", F.min("other").over(Window.partitionBy("node")))
    linked = both.withColumn("first", earliest).where(F.col("other") > F.col("node"))
    return linked.select("first", F.col("other").alias("second")).where("first < second").distinct()


def _small_star(edges: DataFrame) -> DataFrame:
    """Link a node and its earlier neighbours to the earliest of these."""
    earliest = edges.withColumn("root", F.min("first").over(Window.partitionBy("second")))
    own = earliest.select(F.col("root").alias("first"), "second")
    others = earliest.select(F.col("root").alias("first"), F.col("first").alias("second"))
    return own.unionByName(others).where("first < second").distinct()


def _fingerprint(edges: DataFrame) -> tuple[int, str]:
    total = F.sum(F.xxhash64("first", "second").cast("decimal(38,0)"))
    row = edges.agg(F.count(F.lit(1)).alias("edges"), total.cast("string").alias("total")).first()
    assert row is not None
    return int(row["edges"]), str(row["total"])
