"""The signatures table: MinHash band keys of every compared conversation, kept from run to run.

A conversation whose compared text has not changed since the run before keeps its stored band keys, as long as the
settings that make them are the same; the text of the others alone is hashed, in one pass of numpy over Arrow batches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.batches import sliced
from finelake.config.settings import Duplicates
from finelake.relate.bands import Banding, choose_banding
from finelake.relate.minhash import band_keys, signatures
from finelake.relate.shingles import SHINGLE_TOKENS, SHORT_TOKENS, shingle

# Raised when the same text would get other band keys: another tokeniser, hash or permutation.
VERSION = 1

SIGNED = (
    "label string, conversation_id string, content bigint, recipe string, shingles int, bands binary, hashed boolean"
)
"""`bands` holds little-endian 64-bit keys; `hashed` tells whether this run computed them."""

_PASSED = ("label", "conversation_id", "content", "recipe")

Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Size:
    """How many conversations are signed, and of how many the text was hashed in this run."""

    conversations: int
    hashed: int
    reused: int


def size_of_run(conversations: int, *, hashed: int) -> Size:
    """Build a Size; what was not hashed was reused."""
    return Size(conversations, hashed, conversations - hashed)


def recipe_of(config: Duplicates) -> str:
    """Name everything that a signature depends on besides the text, as 16 hex digits."""
    banding = choose_banding(threshold=config.threshold, permutations=config.permutations)
    parts = [VERSION, SHINGLE_TOKENS, SHORT_TOKENS, banding.bands, banding.rows, config.permutations, config.side]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def signed(documents: DataFrame, *, stored: DataFrame | None, config: Duplicates) -> DataFrame:
    """Sign documents (`relate.documents`): columns `SIGNED`, one row each.

    `stored` is the table that an earlier run wrote, if there is one.
    """
    recipe = recipe_of(config)
    rows = documents.select("label", "conversation_id", "content", F.lit(recipe).alias("recipe"), "compared")
    if stored is not None:
        known = stored.where(F.col("recipe") == recipe).select("conversation_id", "content", "shingles", "bands")
        rows = rows.join(known, on=["conversation_id", "content"], how="left").withColumn(
            "compared", F.when(F.col("bands").isNull(), F.coalesce("compared", F.lit("")))
        )
        rows = rows.select(*_PASSED, "compared", "shingles", "bands")
    banding = choose_banding(threshold=config.threshold, permutations=config.permutations)
    return rows.mapInArrow(_signer(banding), SIGNED)


def keys_of(bands: pa.Array, *, count: int) -> npt.NDArray[np.int64]:
    """Read the `bands` column: shape (rows, count)."""
    chunks = bands.chunks if isinstance(bands, pa.ChunkedArray) else [bands]
    parts = [np.empty(0, np.int64), *(_numbers(chunk) for chunk in chunks)]
    return np.concatenate(parts).reshape(-1, count)


def packed(values: npt.NDArray[Any], starts: npt.NDArray[np.int64]) -> pa.Array:
    """Put 64-bit values into a binary column; row i has values[starts[i]:starts[i + 1]]."""
    buffers = [None, pa.py_buffer((starts * 8).astype(np.int32)), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers)


def unpacked(column: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Read what `packed` made: values, and how many each row has."""
    sizes = pc.binary_length(column).to_numpy(zero_copy_only=False).astype(np.int64) // 8
    return _numbers(column).view(np.uint64), sizes


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    kind = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    _, places, data = column.buffers()
    if not len(column) or data is None:
        return np.empty(0, np.int64)
    ends = np.frombuffer(places, kind)[[column.offset, column.offset + len(column)]]
    return np.frombuffer(memoryview(data)[int(ends[0]) : int(ends[1])], np.int64)


def _signer(banding: Banding) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for batch in sliced(batches, "compared"):
            yield _sign(batch, banding)

    return run


def _sign(batch: pa.RecordBatch, banding: Banding) -> pa.RecordBatch:
    texts = batch.column("compared")
    if "bands" not in batch.schema.names:
        shingles, bands = _computed(texts, banding)
        hashed = pa.array(np.ones(batch.num_rows, bool))
    else:
        bands, shingles = batch.column("bands"), batch.column("shingles")
        hashed = pc.is_null(bands)
        counts, keys = _computed(texts.filter(hashed), banding)
        bands, shingles = pc.replace_with_mask(bands, hashed, keys), pc.replace_with_mask(shingles, hashed, counts)
    columns = [*(batch.column(name) for name in _PASSED), shingles, bands, hashed]
    return pa.RecordBatch.from_arrays(columns, [*_PASSED, "shingles", "bands", "hashed"])


def _computed(texts: pa.StringArray, banding: Banding) -> tuple[pa.Array, pa.Array]:
    sets = shingle(texts)
    keys = band_keys(signatures(sets, permutations=banding.bands * banding.rows), banding=banding)
    starts = np.arange(len(texts) + 1, dtype=np.int64) * banding.bands
    return pa.array(sets.sizes.astype(np.int32)), packed(keys, starts)
