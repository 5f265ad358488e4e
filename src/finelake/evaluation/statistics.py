"""The paired bootstrap: how sure the mean difference between two models is.

Both models answer the same items, so differences are taken item by item. Items of one group (a user, a
conversation) are alike, so whole groups are drawn again, never single items: resampling items as if they were
independent gives intervals that are too narrow (Cameron, Gelbach, Miller 2008). The interval is
bias-corrected and accelerated (BCa, Efron 1987, as in scipy.stats.bootstrap).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_BATCH_CELLS = 4_000_000  # drawn groups held at once: 32 MB an array


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampling:
    """How to draw: coverage of the interval, number of resamples, seed."""

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Means over items, their difference (tuned - base) and its interval; None when fewer than two groups exist."""

    items: int
    groups: int
    base_mean: float
    tuned_mean: float
    difference: float
    interval: Interval | None


def paired_difference(
    base: Sequence[float], tuned: Sequence[float], groups: Sequence[str], *, resampling: Resampling
) -> PairedDifference:
    """Compare scores item by item; the three sequences run in parallel and hold at least one item.

    Deterministic in the seed, and the same whatever the order of the groups' names among the items.
    Raises ValueError when the sequences differ in length or are empty.
    """
    if not len(base) == len(tuned) == len(groups) or not base:
        raise ValueError(f"base ({len(base)}), tuned ({len(tuned)}) and groups ({len(groups)}) must match, not empty")
    before, after = np.asarray(base, dtype=np.float64), np.asarray(tuned, dtype=np.float64)
    sums, counts = _per_group(after - before, groups)
    return PairedDifference(
        items=len(base),
        groups=len(sums),
        base_mean=float(before.mean()),
        tuned_mean=float(after.mean()),
        difference=float(after.mean() - before.mean()),
        interval=_interval(sums, counts, resampling=resampling) if len(sums) > 1 else None,
    )


def _per_group(differences: Floats, groups: Sequence[str]) -> tuple[Floats, Floats]:
    _, member = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    sums = np.bincount(member, weights=differences).astype(np.float64)
    return sums, np.bincount(member).astype(np.float64)


def _interval(sums: Floats, counts: Floats, *, resampling: Resampling) -> Interval:
    means = sums / counts
    if np.ptp(means) <= 1e-12 * max(1.0, float(np.abs(means).max())):
        # Every resample gives the same mean: BCa is undefined and the interval is a point.
        return Interval(low=float(means.mean()), high=float(means.mean()))
    low, high = _bootstrap(sums, counts, resampling=resampling, method="BCa")
    if not (np.isfinite(low) and np.isfinite(high)):
        low, high = _bootstrap(sums, counts, resampling=resampling, method="percentile")
    return Interval(low=float(low), high=float(high))


def _bootstrap(sums: Floats, counts: Floats, *, resampling: Resampling, method: str) -> tuple[float, float]:
    from scipy import stats

    result = stats.bootstrap(
        (sums, counts),
        _mean_of_groups,
        paired=True,
        vectorized=True,
        n_resamples=resampling.resamples,
        batch=max(1, _BATCH_CELLS // len(sums)),
        confidence_level=resampling.confidence,
        method=method,
        rng=np.random.default_rng(resampling.seed),
    )
    return result.confidence_interval.low, result.confidence_interval.high


def _mean_of_groups(sums: Floats, counts: Floats, axis: int = -1) -> Any:
    return sums.sum(axis=axis) / counts.sum(axis=axis)
