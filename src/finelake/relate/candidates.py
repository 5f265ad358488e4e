"""Candidate pairs from band keys: a star and a few neighbours in each bucket, never all pairs of a large one.

A bucket holds the conversations of one band key. Each member is paired with the bucket's first one by the total order
(the star), so that a bucket of n members gives n - 1 pairs. A member that only resembles another one further down is
found by its neighbours: the others are sorted by a second key, the next band, and paired with the ones just before. In
large buckets only neighbours with the same second key are paired, within pieces of `PIECE` members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Positions = npt.NDArray[np.int64]
Keys = npt.NDArray[np.int64]

SMALL_BUCKET = 50
NEIGHBOURS = 3
"""Neighbours paired in a small bucket."""
PIECE = 1 << 16

PAIR_SCHEMA = "first string, second string"


@dataclass(frozen=True, slots=True)
class Buckets:
    """What the buckets of two and more were like: how many, the largest, and how many rows large ones hold."""

    buckets: int = 0
    largest: int = 0
    capped: int = 0
    capped_rows: int = 0

    def __add__(self, other: Buckets) -> Buckets:
        return Buckets(
            self.buckets + other.buckets,
            max(self.largest, other.largest),
            self.capped + other.capped,
            self.capped_rows + other.capped_rows,
        )


def bucket_pairs(keys: Keys, seconds: Keys, *, first_is_large: bool = False) -> tuple[Positions, Positions]:
    """Pair rows whose equal keys stand together, each bucket in its total order; gives (earlier, later) positions.

    `first_is_large` says that the rows of the first key are only a piece of their bucket, after its first row.
    """
    count = len(keys)
    begins = _begins(keys)
    sizes = np.diff(np.append(begins, count))
    bucket = np.repeat(np.arange(len(begins)), sizes)
    rank = np.arange(count) - begins[bucket]
    members = np.flatnonzero(rank)
    left, right = [begins[bucket[members]]], [members]
    small = sizes <= SMALL_BUCKET
    small[:1] &= not first_is_large
    piece = (rank[members] - 1) // PIECE
    sorting = np.lexsort((seconds[members], piece, bucket[members]))
    order, piece = members[sorting], piece[sorting]
    for lag in range(1, NEIGHBOURS + 1):
        before, after = order[:-lag], order[lag:]
        together = (bucket[before] == bucket[after]) & (piece[:-lag] == piece[lag:])
        alike = (seconds[before] == seconds[after]) & (lag == 1)
        wanted = together & (small[bucket[before]] | alike)
        left.append(np.minimum(before, after)[wanted])
        right.append(np.maximum(before, after)[wanted])
    return distinct_pairs(np.concatenate(left), np.concatenate(right), count)


def pair_matrix(keys: Keys) -> tuple[Positions, Positions, Buckets]:
    """Pair the rows of a matrix of band keys, shape (texts in total order, bands); the pairs are distinct."""
    left, right, found = [np.empty(0, np.int64)], [np.empty(0, np.int64)], Buckets()
    for band in range(keys.shape[1]):
        order, sizes = _shared(keys[:, band])
        large = sizes > SMALL_BUCKET
        found += Buckets(len(sizes), int(sizes.max(initial=0)), int(large.sum()), int(sizes[large].sum()))
        seconds = keys[order, (band + 1) % keys.shape[1]]
        earlier, later = bucket_pairs(keys[order, band], seconds)
        left.append(order[earlier])
        right.append(order[later])
    return *distinct_pairs(np.concatenate(left), np.concatenate(right), len(keys)), found


def pair_sorted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pair the rows (key, second, label) of one partition sorted by key and label, as `pair_matrix` does.

    A bucket goes on over batches; at most a piece of it is held.
    """
    held: pa.RecordBatch | None = None
    cut = False
    for batch in batches:
        if not batch.num_rows:
            continue
        rows = batch if held is None else _joined(held, batch)
        keys = rows.column("key").to_numpy(zero_copy_only=False)
        begin = int(np.searchsorted(keys, keys[-1]))
        if begin:
            yield _paired(rows.slice(0, begin), first_is_large=cut)
            cut = False
        held = rows.slice(begin)
        while held.num_rows > PIECE + 1:
            yield _paired(held.slice(0, PIECE + 1), first_is_large=True)
            held, cut = _joined(held.slice(0, 1), held.slice(PIECE + 1)), True
    if held is not None:
        yield _paired(held, first_is_large=cut)


def distinct_pairs(left: Positions, right: Positions, count: int) -> tuple[Positions, Positions]:
    """Sort pairs of positions below `count` and take each once."""
    codes = distinct(left * count + right)
    return codes // max(count, 1), codes % max(count, 1)


def distinct(values: Positions) -> Positions:
    """Sort values and take each once; `np.unique` hashes them from numpy 2.3 on, which takes ten times as long."""
    ordered = np.sort(values)
    once: Positions = ordered[np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]])]
    return once


def _begins(keys: Keys) -> Positions:
    return np.flatnonzero(np.concatenate([np.ones(min(len(keys), 1), bool), keys[1:] != keys[:-1]]))


def _shared(keys: Keys) -> tuple[Positions, Positions]:
    """Give the rows whose key others share, sorted by key, and the sizes of their buckets."""
    order = np.argsort(keys)
    begins = _begins(keys[order])
    sizes = np.diff(np.append(begins, len(keys)))
    # The fast sort leaves equal keys in any order; few rows share one, and these are put into theirs.
    shared = np.sort(order[np.repeat(sizes > 1, sizes)])
    return shared[np.argsort(keys[shared], kind="stable")], sizes[sizes > 1]


def _paired(rows: pa.RecordBatch, *, first_is_large: bool) -> pa.RecordBatch:
    keys, seconds = (rows.column(name).to_numpy(zero_copy_only=False) for name in ("key", "second"))
    labels = rows.column("label").cast(pa.string())
    ends = bucket_pairs(keys, seconds, first_is_large=first_is_large)
    return pa.RecordBatch.from_arrays([labels.take(pa.array(end)) for end in ends], ["first", "second"])


def _joined(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    batches: list[pa.RecordBatch] = pa.Table.from_batches([first, second]).combine_chunks().to_batches()
    return batches[0]
