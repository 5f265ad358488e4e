"""How batches are cut: no slice holds more rows or text than it may, and none is lost."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pytest

from finelake.batches import SLICE_CHARACTERS, SLICE_ROWS, sliced, slices


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([5], [(0, 1)]),
        ([1] * (SLICE_ROWS + 1), [(0, SLICE_ROWS), (SLICE_ROWS, SLICE_ROWS + 1)]),
        ([SLICE_CHARACTERS * 3, 1, 1], [(0, 1), (1, 3)]),
        ([1, SLICE_CHARACTERS, 1], [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_batches_are_cut_by_rows_and_characters(lengths: list[int], expected: Iterable[tuple[int, int]]) -> None:
    assert list(slices(lengths)) == expected


def test_record_batches_are_cut_by_all_their_texts() -> None:
    half = "x" * (SLICE_CHARACTERS // 2)
    batch = pa.RecordBatch.from_pydict({"first": [half, None, half, "a"], "second": [half, "b", half, None]})
    found = list(sliced([batch], "first", "second"))
    assert [part.num_rows for part in found] == [1, 1, 1, 1]
    assert [part.num_rows for part in sliced([batch], "first")] == [3, 1]
    assert pa.Table.from_batches(found).equals(pa.Table.from_batches([batch]))


def test_lists_of_messages_count_with_their_contents() -> None:
    third = "x" * (SLICE_CHARACTERS // 3)
    talks = [[{"role": "user", "content": third}] * 2, None, [], [{"role": "user", "content": third}] * 2]
    batch = pa.RecordBatch.from_pydict({"messages": talks})
    assert [part.num_rows for part in sliced([batch], "messages")] == [3, 1]
    # A slice of a batch has lists that begin later than its values.
    assert [part.num_rows for part in sliced([batch.slice(3, 1)], "messages")] == [1]


def test_a_batch_without_rows_gives_none() -> None:
    assert list(sliced([pa.RecordBatch.from_pydict({"text": pa.array([], pa.string())})], "text")) == []
