"""Candidate pairs of buckets: every member is paired with its bucket's first, large buckets stay cheap."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from finelake.relate import candidates as module
from finelake.relate.candidates import SMALL_BUCKET, Buckets, bucket_pairs, pair_matrix, pair_sorted


def rows(seed: int) -> list[tuple[int, int, str]]:
    chosen = random.Random(seed)
    made = {(chosen.randrange(12), f"L{chosen.randrange(1000):04}") for _ in range(chosen.randint(1, 90))}
    return [(key, chosen.randrange(3), label) for key, label in sorted(made)]


def paired(given: list[tuple[int, int, str]], batch: int) -> set[tuple[str, str]]:
    table = pa.table({name: [row[n] for row in given] for n, name in enumerate(("key", "second", "label"))})
    found = pair_sorted(iter(table.to_batches(max_chunksize=batch)))
    return {(row["first"], row["second"]) for part in found for row in part.to_pylist()}


@pytest.mark.parametrize("seed", range(40))
def test_each_member_is_paired_with_its_buckets_first_however_batches_are_cut(seed: int) -> None:
    given = rows(seed)
    firsts: dict[int, str] = {}
    star = {(firsts.setdefault(key, label), label) for key, _, label in given}
    star = {(first, label) for first, label in star if first != label}
    together = {(a, b) for key, _, a in given for other, _, b in given if key == other and a < b}
    for batch in (1, 2, 7, 1000):
        assert star <= paired(given, batch) <= together


def test_small_buckets_lose_no_pair() -> None:
    given = [(1, second, f"L{n}") for n, second in enumerate((3, 1, 4, 1))]
    assert len(paired(given, 100)) == 6


def test_a_pair_in_a_bucket_of_strangers_is_found_by_its_second_key() -> None:
    count = SMALL_BUCKET * 20
    seconds = np.random.default_rng(1).permutation(count * 10)[:count].astype(np.int64)
    seconds[701] = seconds[123]
    left, right = bucket_pairs(np.ones(count, np.int64), seconds)
    assert (123, 701) in set(zip(left.tolist(), right.tolist(), strict=True))
    assert len(left) == count


def test_a_hot_bucket_costs_two_pairs_a_member_at_most() -> None:
    count = 100_000
    left, _ = bucket_pairs(np.ones(count, np.int64), np.ones(count, np.int64))
    assert len(left) < 2 * count


def matrix(seed: int) -> np.ndarray:
    """Band keys of 300 texts: one bucket with most of them in the first band, small ones in the others."""
    chosen = np.random.default_rng(seed)
    keys = np.stack([chosen.integers(0, high, 300) for high in (2, 40, 150, 900)], axis=1)
    return keys + np.arange(4) * 10_000


@pytest.mark.parametrize("seed", range(12))
def test_batches_and_pieces_give_what_the_whole_matrix_gives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 60)
    keys = matrix(seed)
    given = sorted(
        (int(keys[row, band]), int(keys[row, (band + 1) % 4]), f"L{row:03}") for band in range(4) for row in range(300)
    )
    given.sort(key=lambda row: (row[0], row[2]))
    low, high, found = pair_matrix(keys)
    whole = {(f"L{a:03}", f"L{b:03}") for a, b in zip(low, high, strict=True)}
    for batch in (1, 13, 61, 10_000):
        assert paired(given, batch) == whole
    sizes = [size for band in range(4) for size in np.unique(keys[:, band], return_counts=True)[1] if size > 1]
    large = [size for size in sizes if size > SMALL_BUCKET]
    assert found == Buckets(len(sizes), max(sizes), len(large), sum(large))
    assert found.largest > 2 * module.PIECE


def test_no_texts_have_no_pairs() -> None:
    low, high, found = pair_matrix(np.empty((0, 3), np.int64))
    assert (len(low), len(high), found) == (0, 0, Buckets())
