"""The passes over text: what evaluation data holds, and where training messages may hold the same.

Frames of text have a column messages array<struct<role string, content string>>. The text of users and of assistants
is looked at, each message by itself; system prompts and tool results are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.batches import sliced
from finelake.contamination.bloom import Bits, Bloom, bloom_of, merge, segments_of
from finelake.contamination.grams import Grams, GramSize, at_most, distinct, grams_of
from finelake.relate.tokens import Counts, Hashes, mix

EVALUATION_SCHEMA = "hash bigint, source string, row_id string, side string"
"""One row an n-gram, row of an evaluation source (a table's name or a split) and side (prompt or answer)."""
TRAINING_SCHEMA = "hash bigint, conversation_id string, window int, message int, role string, start int, words int"
"""One row a place in a training example: message of the window's line, first word, words."""
_SEGMENT_SCHEMA = "segment int, bits binary"

_SIDES = {"user": "prompt", "assistant": "answer"}

Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class _Texts:
    """The messages to look at: text, row of the batch, place among the row's messages, and side."""

    texts: pa.StringArray
    rows: Counts
    places: Counts
    sides: pa.StringArray


def evaluation_grams(evaluation: DataFrame, *, wanted: Bloom, size: GramSize, limit: int) -> DataFrame:
    """List the n-grams of evaluation texts (columns source, row_id, messages) as EVALUATION_SCHEMA has them.

    Those that `wanted` does not hold are left out.
    """

    def run(batches: Batches) -> Batches:
        for batch in sliced(batches, "messages"):
            found, chosen = _read(batch, size)
            chosen = chosen.take(wanted.may_hold(chosen.hashes))
            rows, kinds = found.rows[chosen.owners], _kinds(batch, found)[chosen.owners]
            keys = mix(chosen.hashes + kinds)
            once = distinct(keys, rows)
            told = once[at_most(keys[once], rows[once], limit=limit)]
            yield _batch(
                EVALUATION_SCHEMA,
                _signed(chosen.take(told)),
                batch.column("source").take(pa.array(rows[told])),
                batch.column("row_id").take(pa.array(rows[told])),
                found.sides.take(pa.array(chosen.owners[told])),
            )

    return evaluation.select("source", "row_id", "messages").mapInArrow(run, EVALUATION_SCHEMA)


def filter_of_texts(texts: DataFrame, *, size: GramSize) -> Bloom:
    """Put the n-grams of texts (column messages) into a filter; see `_filter`."""
    return _filter(texts.select("messages"), lambda batch: _read(batch, size)[1].hashes, "messages")


def filter_of_places(places: DataFrame) -> Bloom:
    """Put the n-grams of places (column hash) into a filter; see `_filter`."""
    return _filter(
        places.select("hash"), lambda batch: batch.column("hash").to_numpy(zero_copy_only=False).view(np.uint64)
    )


def training_places(training: DataFrame, *, bloom: Bloom, size: GramSize, limit: int) -> DataFrame:
    """List where examples (columns conversation_id, window, messages) may hold evaluation n-grams, TRAINING_SCHEMA."""

    def run(batches: Batches) -> Batches:
        for batch in sliced(batches, "messages"):
            found, chosen = _read(batch, size)
            chosen = chosen.take(bloom.may_hold(chosen.hashes))
            names = pc.dictionary_encode(batch.column("conversation_id")).indices.to_numpy(zero_copy_only=False)
            rows = found.rows[chosen.owners]
            told = np.flatnonzero(at_most(chosen.hashes, names[rows].astype(np.int64), limit=limit))
            chosen, rows = chosen.take(told), rows[told]
            yield _batch(
                TRAINING_SCHEMA,
                _signed(chosen),
                batch.column("conversation_id").take(pa.array(rows)),
                batch.column("window").take(pa.array(rows)),
                pa.array(found.places[chosen.owners].astype(np.int32)),
                found.sides.take(pa.array(chosen.owners)),
                pa.array(chosen.starts.astype(np.int32)),
                pa.array(chosen.words.astype(np.int32)),
            )

    return training.select("conversation_id", "window", "messages").mapInArrow(run, TRAINING_SCHEMA)


def _filter(rows: DataFrame, hashes_of: Callable[[pa.RecordBatch], Hashes], *texts: str) -> Bloom:
    """Put hashes into a filter; brings at most 16 MiB to the driver, in 64 KiB rows. Names the columns of `texts`."""

    def collect(batches: Batches) -> Batches:
        held: dict[int, Bits] = {}
        for batch in sliced(batches, *texts):
            for number, bits in segments_of(hashes_of(batch)).items():
                merge(held, number, bits)
        yield _segments(held)

    def join(batches: Batches) -> Batches:
        held: dict[int, Bits] = {}
        for batch in batches:
            for number, content in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                merge(held, number, np.frombuffer(content, np.uint8))
        yield _segments(held)

    whole = rows.mapInArrow(collect, _SEGMENT_SCHEMA).repartition(F.col("segment")).mapInArrow(join, _SEGMENT_SCHEMA)
    return bloom_of((row["segment"], row["bits"]) for row in whole.collect())


def _read(batch: pa.RecordBatch, size: GramSize) -> tuple[_Texts, Grams]:
    lists = batch.column("messages")
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    values = pc.list_flatten(lists)
    first = np.searchsorted(rows, rows, side="left")
    roles, contents = values.field("role"), values.field("content")
    wanted = pc.fill_null(pc.and_(pc.is_in(roles, pa.array(list(_SIDES))), pc.is_valid(contents)), False)
    mask = wanted.to_numpy(zero_copy_only=False)
    sides = pc.if_else(pc.equal(roles.filter(wanted), "user"), _SIDES["user"], _SIDES["assistant"])
    found = _Texts(contents.filter(wanted), rows[mask], (np.arange(len(rows)) - first)[mask], sides)
    return found, grams_of(found.texts, size=size)


def _kinds(batch: pa.RecordBatch, found: _Texts) -> Hashes:
    """Number the source and side of each text."""
    sources = pc.dictionary_encode(batch.column("source")).indices.to_numpy(zero_copy_only=False)
    prompts = pc.equal(found.sides, _SIDES["user"]).to_numpy(zero_copy_only=False)
    numbers: Hashes = sources[found.rows].astype(np.uint64) * np.uint64(2) + prompts.astype(np.uint64)
    return numbers


def _signed(grams: Grams) -> pa.Array:
    return pa.array(grams.hashes.view(np.int64))


def _segments(held: dict[int, Bits]) -> pa.RecordBatch:
    numbers = sorted(held)
    return _batch(
        _SEGMENT_SCHEMA, pa.array(numbers, pa.int32()), pa.array([held[number].tobytes() for number in numbers])
    )


def _batch(schema: str, *columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns), [field.split(" ")[0] for field in schema.split(", ")])
