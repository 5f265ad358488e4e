"""Cosine pairs against all pairs by hand, and what is left of a dense block."""

from __future__ import annotations

import numpy as np
import pytest

from finelake.relate.cosine import PAIRS_A_ROW, similar_pairs, starred
from finelake.relate.graph import Edges, keepers
from finelake.topics.clusters import unit


def vectors(count: int, seed: int, *, width: int = 16) -> np.ndarray:
    """Clouds around a few directions, so that there are pairs on both sides of a threshold."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(count // 6, 1), width))
    return unit((centres[rng.integers(0, len(centres), count)] + rng.normal(size=(count, width)) * 0.25).astype("f4"))


def by_hand(rows: np.ndarray, threshold: float) -> set[tuple[int, int]]:
    exact = rows.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    cosine = (exact @ exact.T).round(6)
    return {(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows)) if cosine[i, j] >= threshold}


@pytest.mark.parametrize("seed", range(5))
def test_pairs_within_and_between_blocks_are_all_pairs(seed: int) -> None:
    rows = vectors(120, seed)
    expected = by_hand(rows, 0.9)
    assert expected
    within = similar_pairs(rows, None, threshold=0.9)
    assert set(zip(within.left.tolist(), within.right.tolist(), strict=True)) == expected
    between = similar_pairs(rows[:50], rows[50:], threshold=0.9)
    found = set(zip(between.left.tolist(), (between.right + 50).tolist(), strict=True))
    assert found == {(i, j) for i, j in expected if i < 50 <= j}


def test_a_dense_block_keeps_pairs_of_leading_members_and_the_same_are_merged() -> None:
    rng = np.random.default_rng(3)
    rows = unit(np.concatenate([rng.normal(size=(1, 8))] * 200 + [rng.normal(size=(3, 8))]).astype("f4"))
    every = similar_pairs(rows, None, threshold=0.99)
    assert len(every.left) > PAIRS_A_ROW * len(rows)
    thin = starred(every, count=len(rows))
    assert thin.capped
    assert len(thin.left) <= len(rows)
    for pairs in (every, thin):
        merged, kept = keepers(Edges(len(rows), pairs.left, pairs.right))
        assert merged.tolist() == list(range(1, 200))
        assert set(kept.tolist()) == {0}


def test_few_pairs_stay_as_they_are() -> None:
    pairs = similar_pairs(vectors(60, 1), None, threshold=0.9)
    assert starred(pairs, count=60) is pairs


def test_no_rows_no_pairs() -> None:
    assert len(similar_pairs(np.empty((0, 4), np.float32), None, threshold=0.9).left) == 0
