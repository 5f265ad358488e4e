"""Pairs of vectors with a high cosine, inside one block or between two: pure arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

# float32 products of unit vectors are off by less than this; what comes near the threshold is computed again.
_SLACK = 1e-4
_DIGITS = 6
PAIRS_A_ROW = 20
"""A block with more pairs a row than this keeps only pairs with its own first ones (stars)."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Positions left and right with their cosine, and whether pairs were left out of a dense block."""

    left: Positions
    right: Positions
    cosine: npt.NDArray[np.float64]
    capped: bool = False


def similar_pairs(rows: Floats, others: Floats | None, *, threshold: float) -> Pairs:
    """Find pairs within `rows` (left < right), or between `rows` and `others`, with a cosine at or above the threshold.

    All rows have length one. The cosine is computed in float64, pair by pair, and rounded to six digits.
    """
    products = rows @ (rows if others is None else others).T
    near = products >= threshold - _SLACK
    if others is None:
        near = np.triu(near, k=1)
    left, right = (side.astype(np.int64) for side in np.nonzero(near))
    second = rows if others is None else others
    cosine = np.concatenate([_exact(rows, second, left[at], right[at]) for at in _parts(len(left))] or [np.empty(0)])
    held = cosine >= threshold
    return Pairs(left[held], right[held], cosine[held])


def starred(pairs: Pairs, *, count: int) -> Pairs:
    """Thin out the pairs of a dense block: what has an earlier neighbour keeps only its pairs with leading ones.

    Positions are in the order of keeping over both blocks, left before right. Leading is who has no earlier leading
    neighbour. The rest is still a pair of its own with a verified cosine.
    """
    if len(pairs.left) <= PAIRS_A_ROW * count:
        return pairs
    leading = np.ones(count, bool)
    order = np.lexsort((pairs.right, pairs.left))
    left, right = pairs.left[order], pairs.right[order]
    starts = np.searchsorted(left, np.arange(count + 1))
    for row in range(count):
        if leading[row]:
            leading[right[starts[row] : starts[row + 1]]] = False
    wanted = leading[pairs.left]
    return Pairs(pairs.left[wanted], pairs.right[wanted], pairs.cosine[wanted], True)


def _parts(count: int, size: int = 1 << 16) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


def _exact(rows: Floats, others: Floats, left: Positions, right: Positions) -> npt.NDArray[np.float64]:
    one, other = rows[left].astype(np.float64), others[right].astype(np.float64)
    dots = np.einsum("nd,nd->n", one, other)
    lengths = np.sqrt(np.einsum("nd,nd->n", one, one) * np.einsum("nd,nd->n", other, other))
    rounded: npt.NDArray[np.float64] = np.minimum(dots / lengths, 1.0).round(_DIGITS)
    return rounded
