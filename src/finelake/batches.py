"""Cutting what Spark hands to Python at a time, so that long texts stay within a worker's memory.

Spark gives up to 10,000 rows at once and serverless lets nobody change that: of 100 kB texts that is a gigabyte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SLICE_ROWS = 2_000
SLICE_CHARACTERS = 8_000_000


def slices(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut a batch into (start, end) runs that stay below the slice bounds; a single long text is a slice of its own."""
    start, characters = 0, 0
    for position, length in enumerate(lengths):
        if position > start and (position - start >= SLICE_ROWS or characters + length > SLICE_CHARACTERS):
            yield start, position
            start, characters = position, 0
        characters += length
    if start < len(lengths):
        yield start, len(lengths)


def sliced(batches: Iterable[pa.RecordBatch], *columns: str) -> Iterator[pa.RecordBatch]:
    """Cut batches by the bytes of their text `columns`: strings, or lists of messages with a field content."""
    for batch in batches:
        lengths = sum((_bytes(batch.column(name)) for name in columns), np.zeros(batch.num_rows, np.int64))
        for start, end in slices(lengths.tolist()):
            yield batch.slice(start, end - start)


def _bytes(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if not pa.types.is_list(column.type):
        found: np.ndarray[tuple[int], np.dtype[np.int64]] = (
            pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        )
        return found
    owners = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    contents = _bytes(pc.list_flatten(column).field("content"))
    return np.bincount(owners, weights=contents, minlength=len(column)).astype(np.int64)
