"""From verified pairs to what follows: which conversation is merged into which, and which groups hang together.

Up to a bound the pairs are resolved on the driver, above it on Spark, with the same result: the pairs, with `merged`
(is the second one merged into the first) and `joined_group` (the earliest group that hangs together with theirs).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.relate.candidates import distinct_pairs
from finelake.relate.graph import Edges, components, keepers
from finelake.relate.graph_spark import Save, components_spark, keepers_spark

_SINCE_DIGITS = 16


def resolve_on_driver(similar: pa.Table) -> pa.Table:
    """Resolve pairs (columns `near_spark.VERIFIED`) that are alike enough."""
    resolved = similar.append_column("merged", pa.array(_merged(similar), pa.bool_()))
    return resolved.append_column("joined_group", _joined_groups(similar))


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
    return joined.select(
        *similar.columns,
        F.coalesce("merged", F.lit(False)).alias("merged"),
        F.coalesce("joined_group", "first_group").alias("joined_group"),
    )


def _merged(similar: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell for each pair whether its second conversation is merged into its first."""
    ends = pa.chunked_array([*similar.column("first").chunks, *similar.column("second").chunks], pa.string())
    coded = ends.combine_chunks().dictionary_encode()
    count = len(coded.dictionary)
    rank = np.empty(count, np.int64)
    rank[pc.sort_indices(coded.dictionary).to_numpy()] = np.arange(count)
    codes = rank[coded.indices.to_numpy(zero_copy_only=False)]
    low, high = codes[: similar.num_rows], codes[similar.num_rows :]
    kept_of = np.full(count, -1, np.int64)
    merged, kept = keepers(Edges(count, low, high))
    kept_of[merged] = kept
    found: npt.NDArray[np.bool_] = kept_of[high] == low
    return found


def _joined_groups(similar: pa.Table) -> pa.Array:
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
    return pa.array(names[earliest[one]].tolist(), pa.string())


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
