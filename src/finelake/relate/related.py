"""From verified pairs to what follows: which conversation is merged into which, and which groups hang together.

Up to a bound the pairs are resolved on the driver, above it on Spark, with the same result: frames `merged` (label,
kept_label, similarity) and `groups` (single_group, joined_group; one row a group that is joined to an earlier one).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.relate.candidates import distinct_pairs
from finelake.relate.graph import Edges, components, keepers
from finelake.relate.graph_spark import Save, components_spark, keepers_spark

_SINCE_DIGITS = 16


def resolve_on_driver(similar: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Resolve the pairs (columns `near_spark.VERIFIED`) that are alike enough: gives merged and groups."""
    return _merged(similar), _groups(similar)


def resolve_on_spark(similar: DataFrame, *, save: Save) -> tuple[DataFrame, DataFrame]:
    """Do the same for any number of pairs; `save` writes a frame and reads it back."""
    chosen = save(keepers_spark(similar, save=save))
    measured = similar.select(F.col("second").alias("label"), F.col("first").alias("kept_label"), "similarity")
    linked = components_spark(_links(similar).where("first < second"), save=save)
    groups = save(linked).where("label <> component")
    return chosen.join(measured, ["label", "kept_label"]), groups.select(
        _group_in("label").alias("single_group"), _group_in("component").alias("joined_group")
    )


def _merged(similar: pa.Table) -> pa.Table:
    ends = pa.chunked_array([*similar.column("first").chunks, *similar.column("second").chunks], pa.string())
    coded = ends.combine_chunks().dictionary_encode()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    codes = rank[coded.indices.to_numpy(zero_copy_only=False)]
    low, high = codes[: similar.num_rows], codes[similar.num_rows :]
    merged, kept = keepers(Edges(len(order), low, high))
    places = np.argsort(low * len(order) + high)
    found = places[np.searchsorted((low * len(order) + high)[places], kept * len(order) + merged)]
    labels = coded.dictionary.take(pa.array(order))
    return pa.table(
        {
            "label": labels.take(pa.array(merged)),
            "kept_label": labels.take(pa.array(kept)),
            "similarity": similar.column("similarity").combine_chunks().take(pa.array(found)),
        }
    )


def _groups(similar: pa.Table) -> pa.Table:
    """Join groups by the pairs between them; a group is as old as its oldest conversation that has a pair."""
    ends = [similar.select([f"{end}_group", f"{end}_since"]).to_pandas() for end in ("first", "second")]
    rows = pd.concat([end.set_axis(["group", "since"], axis=1) for end in ends], ignore_index=True)
    oldest = rows.groupby("group", as_index=False)["since"].min().sort_values(["since", "group"])
    names = pd.Index(oldest["group"])
    codes = names.get_indexer(pd.Index(rows["group"])).astype(np.int64)
    one, other = codes[: similar.num_rows], codes[similar.num_rows :]
    apart = one != other
    low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    earliest = components(Edges(len(names), *distinct_pairs(low, high, len(names))))
    joined = np.flatnonzero(earliest != np.arange(len(names)))
    return pa.table(
        {
            "single_group": pa.array(names[joined].tolist(), pa.string()),
            "joined_group": pa.array(names[earliest[joined]].tolist(), pa.string()),
        }
    )


def _links(similar: DataFrame) -> DataFrame:
    """Link the groups of the pairs' conversations: first and second, strings that begin with when a group began."""
    groups, since = F.array("first_group", "second_group"), F.array("first_since", "second_since")
    ends = similar.select(F.explode(F.arrays_zip(groups.alias("name"), since.alias("since"))).alias("end"))
    oldest = ends.groupBy(F.col("end.name").alias("name")).agg(F.min("end.since").alias("since"))
    began = F.lpad(F.col("since").cast("string"), _SINCE_DIGITS, "0")
    labels = oldest.select("name", F.concat(began, "name").alias("label"))
    links = similar.select("first_group", "second_group").distinct()
    for end in ("first", "second"):
        links = links.join(labels.withColumnsRenamed({"name": f"{end}_group", "label": end}), f"{end}_group")
    return links.select(F.least("first", "second").alias("first"), F.greatest("first", "second").alias("second"))


def _group_in(label: str) -> Column:
    return F.col(label).substr(F.lit(_SINCE_DIGITS + 1), F.length(label))
