"""Candidate pairs and their true similarity on the driver, for a bounded number of band keys and shingles.

`near_spark` gives the same without a bound. Below it one scan of the signatures and one of the pairs' texts are all
that Spark does, where sorting billions of keys would need a shuffle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.batches import sliced
from finelake.errors import FinelakeError
from finelake.relate.bands import Banding
from finelake.relate.candidates import Buckets, Positions, distinct, pair_matrix
from finelake.relate.labels import name_in
from finelake.relate.related import PairsInMemory
from finelake.relate.shingles import ShingleSets, shingle
from finelake.relate.signatures import Size, keys_of, packed, size_of_run, unpacked
from finelake.relate.verify import Similarities, distinct_shingles, jaccard
from finelake.tables.local import local_frame

_SHINGLED = "label string, group string, since bigint, hashes binary"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of positions (low < high) in sorted labels, the positions that occur, and how many shingles they have."""

    labels: pa.StringArray
    low: Positions
    high: Positions
    members: Positions
    shingles: int
    size: Size
    buckets: Buckets

    def pairs(self) -> pa.Table:
        """Give the pairs as labels: columns first and second."""
        return pa.table(
            {"first": self.labels.take(pa.array(self.low)), "second": self.labels.take(pa.array(self.high))}
        )


def candidates(signed: DataFrame, *, banding: Banding) -> Candidates:
    """Collect the signatures, about 70 bytes and a key a band each, and pair them."""
    table = signed.select("label", "shingles", "bands", "hashed").toArrow()
    order = pc.sort_indices(table.column("label")).to_numpy()
    low, high, buckets = pair_matrix(keys_of(table.column("bands"), count=banding.bands)[order])
    members = distinct(np.concatenate([low, high]))
    shingles = int(table.column("shingles").to_numpy()[order][members].sum(dtype=np.int64))
    labels = table.column("label").combine_chunks().cast(pa.string()).take(pa.array(order))
    size = size_of_run(table.num_rows, hashed=int(pc.sum(table.column("hashed")).as_py() or 0))
    return Candidates(labels, low, high, members, shingles, size, buckets)


def verified(found: Candidates, *, documents: DataFrame, threshold: float) -> PairsInMemory:
    """Measure the pairs that may tell something; texts that are in a pair are read again."""
    if not len(found.members):
        nothing = pa.table({"label": found.labels[:0], "group": found.labels[:0], "since": pa.array([], pa.int64())})
        return PairsInMemory(nothing, found.low, found.high, np.empty(0))
    rows = _members(found, documents)
    # The rows come in any order; the members are in that of their labels.
    rows = rows.take(pc.sort_indices(rows.column("label"))).combine_chunks()
    hashes, sizes = unpacked(rows.column("hashes").combine_chunks())
    sets = ShingleSets(hashes, np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]))
    low, high = (np.searchsorted(found.members, end) for end in (found.low, found.high))
    return PairsInMemory(rows.select(["label", "group", "since"]), *_measured(sets, low, high, threshold=threshold))


def _measured(
    sets: ShingleSets, low: Positions, high: Positions, *, threshold: float
) -> tuple[Positions, Positions, Similarities]:
    """Measure pairs of sets, but not two that a third one takes for certain: of a hot bucket those are nearly all.

    Who has no earlier candidate is kept. Two that are both like it are merged, and they hang together by it, so that
    their own similarity decides nothing and is evidence of nothing (see `related`).
    """
    count = len(sets.sizes)
    kept = np.ones(count, bool)
    kept[high] = False
    sure = kept[low]
    similarity = np.zeros(len(low))
    similarity[sure] = jaccard(sets, low[sure], high[sure])
    alike = sure & (similarity >= threshold)
    taken_by = np.full(count, count, np.int64)
    np.minimum.at(taken_by, high[alike], low[alike])
    told = sure | (taken_by[low] == count) | (taken_by[low] != taken_by[high])
    open_still = told & ~sure
    similarity[open_still] = jaccard(sets, low[open_still], high[open_still])
    return low[told], high[told], similarity[told]


def _members(found: Candidates, documents: DataFrame) -> pa.Table:
    labels = found.labels.take(pa.array(found.members)).to_pylist()
    names = pa.table({"conversation_id": pa.array([name_in(label) for label in labels], pa.string())})
    wanted = F.broadcast(local_frame(documents.sparkSession, names))
    texts = documents.join(wanted, "conversation_id", "left_semi").select("label", "group", "since", "compared")
    rows = texts.mapInArrow(_shingled, _SHINGLED).toArrow()
    if rows.num_rows != len(labels):
        raise FinelakeError(
            f"Of {len(labels)} conversations in candidate pairs {rows.num_rows} were read again: the table of "
            "annotated conversations has changed meanwhile, or an id is there twice. Run the same command again."
        )
    return rows


def _shingled(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    for batch in sliced(batches, "compared"):
        sets = distinct_shingles(shingle(batch.column("compared")))
        kept = [batch.column(name) for name in ("label", "group", "since")]
        yield pa.RecordBatch.from_arrays(
            [*kept, packed(sets.hashes, sets.starts)], ["label", "group", "since", "hashes"]
        )
