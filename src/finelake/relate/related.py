"""From verified pairs to what follows: which conversation is merged into which, and which groups hang together.

Up to a bound the pairs are resolved on the driver, above it on Spark, with the same result: the pairs, with `merged`
(is the second one merged into the first) and `joined_group` (the earliest group that hangs together with theirs). A
pair of two conversations that were both merged, each into another one, is evidence of nothing and is left out: of a
reply that everybody gets there are many more of these than conversations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.relate.candidates import Positions, distinct_pairs
from finelake.relate.graph import Edges, components, keepers
from finelake.relate.graph_spark import Save, components_spark, keepers_spark

_SINCE_DIGITS = 16


@dataclass(frozen=True, slots=True)
class PairsInMemory:
    """Pairs of positions (low < high) with their similarity, and their conversations in the order of their labels.

    members: label string, group string, since int64 (microseconds), one row a position.
    """

    members: pa.Table
    low: Positions
    high: Positions
    similarity: npt.NDArray[np.float64]

    def alike(self, threshold: float) -> PairsInMemory:
        """Keep the pairs at or above a threshold."""
        chosen = self.similarity >= threshold
        return PairsInMemory(self.members, self.low[chosen], self.high[chosen], self.similarity[chosen])


def pairs_of(similar: pa.Table) -> PairsInMemory:
    """Read pairs (columns `near_spark.VERIFIED`)."""
    ends = [similar.select([end, f"{end}_group", f"{end}_since"]) for end in ("first", "second")]
    rows = pa.concat_tables([end.rename_columns(["label", "group", "since"]) for end in ends]).combine_chunks()
    coded = rows.column("label").combine_chunks().cast(pa.string()).dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    where = np.empty(len(coded.dictionary), np.int64)
    where[codes] = np.arange(len(codes))
    order = pc.sort_indices(coded.dictionary).to_numpy().astype(np.int64)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    low, high = rank[codes[: similar.num_rows]], rank[codes[similar.num_rows :]]
    similarity = similar.column("similarity").to_numpy()
    return PairsInMemory(rows.take(pa.array(where[order])), low, high, similarity)


def resolve_on_driver(pairs: PairsInMemory) -> pa.Table:
    """Resolve pairs that are alike enough: columns `near_spark.VERIFIED`, merged and joined_group."""
    kept_of = np.full(pairs.members.num_rows, -1, np.int64)
    gone, kept = keepers(Edges(len(kept_of), pairs.low, pairs.high))
    kept_of[gone] = kept
    merged = kept_of[pairs.high] == pairs.low
    told = merged | (kept_of[pairs.low] < 0) | (kept_of[pairs.high] < 0)
    joined = _joined_groups(pairs)
    columns: dict[str, pa.Array] = {}
    for name, column in (("", "label"), ("_group", "group"), ("_since", "since")):
        values = pairs.members.column(column).combine_chunks()
        for end, places in (("first", pairs.low), ("second", pairs.high)):
            columns[f"{end}{name}"] = values.take(pa.array(places[told]))
    columns["similarity"] = pa.array(pairs.similarity[told])
    columns["merged"] = pa.array(merged[told])
    columns["joined_group"] = joined.take(pa.array(pairs.low[told]))
    return pa.table(columns)


def resolve_on_spark(similar: DataFrame, *, save: Save) -> DataFrame:
    """Do the same for any number of pairs; `save` writes a frame and reads it back."""
    chosen = save(keepers_spark(similar, save=save)).select(
        F.col("kept_label").alias("first"), F.col("label").alias("second"), F.lit(True).alias("merged")
    )
    linked = save(components_spark(_links(similar), save=save)).select(
        F.substring("label", _SINCE_DIGITS + 1, 2**30).alias("first_group"),
        F.substring("component", _SINCE_DIGITS + 1, 2**30).alias("joined_group"),
    )
    joined = similar.join(chosen, ["first", "second"], "left").join(linked, "first_group", "left")
    for end in ("first", "second"):
        gone = chosen.select(F.col("second").alias(end), F.lit(True).alias(f"{end}_gone"))
        joined = joined.join(gone, end, "left")
    told = F.col("merged").isNotNull() | F.col("first_gone").isNull() | F.col("second_gone").isNull()
    return joined.where(told).select(
        *similar.columns,
        F.coalesce("merged", F.lit(False)).alias("merged"),
        F.coalesce("joined_group", "first_group").alias("joined_group"),
    )


def _joined_groups(pairs: PairsInMemory) -> pa.Array:
    """Give each member the earliest group that hangs together with its own by any of the pairs.

    A group is as old as its oldest conversation that has a pair.
    """
    coded = pairs.members.column("group").combine_chunks().cast(pa.string()).dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    count = len(coded.dictionary)
    oldest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(oldest, codes, pairs.members.column("since").to_numpy())
    in_order = pc.sort_indices(
        pa.table({"since": oldest, "name": coded.dictionary}), sort_keys=[("since", "ascending"), ("name", "ascending")]
    )
    rank = np.empty(count, np.int64)
    rank[in_order.to_numpy().astype(np.int64)] = np.arange(count)
    own = rank[codes]
    one, other = own[pairs.low], own[pairs.high]
    apart = one != other
    low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    earliest = components(Edges(count, *distinct_pairs(low, high, count)))
    return coded.dictionary.take(in_order).take(pa.array(earliest[own]))


def _links(similar: DataFrame) -> DataFrame:
    """Link the groups of the pairs' conversations: first < second, strings that begin with when a group began."""
    groups, since = F.array("first_group", "second_group"), F.array("first_since", "second_since")
    ends = similar.select(F.explode(F.arrays_zip(groups.alias("name"), since.alias("since"))).alias("end"))
    oldest = ends.groupBy(F.col("end.name").alias("name")).agg(F.min("end.since").alias("since"))
    began = F.lpad(F.col("since").cast("string"), _SINCE_DIGITS, "0")
    labels = oldest.select("name", F.concat(began, "name").alias("label"))
    links = similar.select("first_group", "second_group").distinct()
    for end in ("first", "second"):
        links = links.join(labels.withColumnsRenamed({"name": f"{end}_group", "label": end}), f"{end}_group")
    ordered = links.select(F.least("first", "second").alias("first"), F.greatest("first", "second").alias("second"))
    return ordered.where("first < second")
