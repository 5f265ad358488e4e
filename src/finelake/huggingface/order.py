"""In which order examples are trained on: known from the seed alone, for any number of processes and any place in it.

An epoch shuffles the groups and takes some at a time, a pool, whose rows are shuffled together. So a reader holds one
pool in memory, and whoever goes on at a later position reads nothing of the pools before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pool:
    """Rows that are mixed together: position n is row `rows[n]` of group `groups[n]`; `start` is its position."""

    start: int
    groups: Ints
    rows: Ints


class Order:
    """The order of the rows of some groups, epoch after epoch."""

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        seed: int,
        shuffle_rows: int,
        excluded: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        """Order groups of `sizes` rows, without the excluded rows of each; at most `shuffle_rows` rows a pool."""
        self._kept = [_kept(size, (excluded or {}).get(n, ())) for n, size in enumerate(sizes)]
        self._seed, self._shuffle_rows = seed, shuffle_rows
        self.rows = sum(len(kept) for kept in self._kept)

    def pools(self, epoch: int, *, begin: int = 0) -> Iterator[Pool]:
        """Give the pools of an epoch from the one that holds position `begin` on."""
        start = 0
        for number, groups in enumerate(self._pooled(epoch)):
            size = sum(len(self._kept[group]) for group in groups)
            if start + size > begin:
                yield self._pool(groups, start, (self._seed, epoch, number))
            start += size

    def _pooled(self, epoch: int) -> Iterator[list[int]]:
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._kept))
        pool: list[int] = []
        size = 0
        for group in order.tolist():
            rows = len(self._kept[group])
            if pool and size + rows > self._shuffle_rows:
                yield pool
                pool, size = [], 0
            pool.append(group)
            size += rows
        if pool:
            yield pool

    def _pool(self, groups: Sequence[int], start: int, seed: tuple[int, int, int]) -> Pool:
        rows = np.concatenate([self._kept[group] for group in groups])
        owners = np.repeat(np.asarray(groups, dtype=np.int64), [len(self._kept[group]) for group in groups])
        order = np.random.default_rng(seed).permutation(len(rows))
        return Pool(start, owners[order], rows[order])


def _kept(size: int, excluded: Sequence[int]) -> Ints:
    rows = np.arange(size, dtype=np.int64)
    return np.delete(rows, np.asarray(excluded, dtype=np.int64)) if len(excluded) else rows
