"""Simulated comparisons whose truth is known, for the tests and for benchmarks/evaluation_statistics.py.

Each has groups (users) of 1 to 6 items. A group's items share an effect beside noise of their own, so that they are
alike, as a user's conversations are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finelake.evaluation.statistics import PairedDifference, Resampling, paired_difference

Effects = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the simulated comparisons: interval held the truth, gate promoted, interval alone would have."""

    covered: float
    promoted: float
    by_interval: float


def normal(random: np.random.Generator, groups: int) -> npt.NDArray[np.float64]:
    return random.normal(size=groups)


def skewed(random: np.random.Generator, groups: int) -> npt.NDArray[np.float64]:
    return random.exponential(size=groups) - 1.0


def skewed_down(random: np.random.Generator, groups: int) -> npt.NDArray[np.float64]:
    return -skewed(random, groups)


def heavy_down(random: np.random.Generator, groups: int) -> npt.NDArray[np.float64]:
    """Mirrored log-normal effects, skewness -6: beyond what the gate claims to stand."""
    return (np.exp(0.5) - random.lognormal(size=groups)) / np.sqrt((np.e - 1.0) * np.e)


def scores(*, seed: int, runs: int, groups: int, gain: float = 0.0, effects: Effects = normal) -> Rates:
    """Simulate scores whose true mean gain is known; the group effects have mean 0 and standard deviation 1."""
    random = np.random.default_rng(seed)
    covered = promoted = by_interval = 0
    for _ in range(runs):
        sizes = random.integers(1, 7, size=groups)
        items = gain + np.repeat(effects(random, groups), sizes) + random.normal(0, 0.5, size=sizes.sum())
        found = compare(np.zeros(len(items)), items, sizes, threshold=0.0)
        assert found.interval is not None
        assert found.p_gain is not None
        covered += found.interval.low <= gain <= found.interval.high
        by_interval += found.interval.low > 0
        assert found.cautious is not None
        promoted += found.cautious.low > 0 and found.p_gain <= 0.025
    return Rates(covered / runs, promoted / runs, by_interval / runs)


def sparse(*, seed: int, runs: int, groups: int, turned: float) -> Rates:
    """Simulate a pass/fail metric as the gate's, without a true gain: `turned` won and as many lost, in shares."""
    random = np.random.default_rng(seed)
    covered = promoted = by_interval = 0
    for _ in range(runs):
        before, after, sizes = _pass_fail(random, groups, won=turned, lost=turned)
        found = compare(before, after, sizes, pass_fail=True, threshold=0.0)
        assert found.interval is not None
        assert found.cautious is not None
        assert found.p_gain is not None
        covered += found.interval.low <= 0.0 <= found.interval.high
        by_interval += found.interval.low > 0
        promoted += found.cautious.low > 0 and found.p_gain <= 0.025
    return Rates(covered / runs, promoted / runs, by_interval / runs)


def passes(*, seed: int, runs: int, groups: int, won: float, lost: float, margin: float) -> tuple[float, float]:
    """Simulate a pass/fail metric; give the share of intervals that held won - lost, and that excluded the margin."""
    random = np.random.default_rng(seed)
    covered = excluded = 0
    for _ in range(runs):
        before, after, sizes = _pass_fail(random, groups, won=won, lost=lost)
        found = compare(before, after, sizes, pass_fail=True)
        assert found.interval is not None
        covered += found.interval.low <= won - lost <= found.interval.high
        excluded += found.interval.low > -margin
    return covered / runs, excluded / runs


def _pass_fail(
    random: np.random.Generator, groups: int, *, won: float, lost: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Draw items of both models and the groups' sizes; a group's items turn out alike with probability 0.7."""
    sizes = random.integers(1, 7, size=groups)
    total = int(sizes.sum())
    shared = np.repeat(random.choice(3, size=groups, p=[won, lost, 1 - won - lost]), sizes)
    own = random.choice(3, size=total, p=[won, lost, 1 - won - lost])
    kind = np.where(random.random(total) < 0.7, shared, own)
    return (kind != 0).astype(float), (kind != 1).astype(float), sizes


def compare(
    base: npt.NDArray[np.float64],
    tuned: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.int64],
    *,
    pass_fail: bool = False,
    threshold: float | None = None,
) -> PairedDifference:
    """Compare as the evaluation does, with fewer resamples."""
    groups = [str(group) for group in np.repeat(np.arange(len(sizes)), sizes)]
    return paired_difference(
        list(base), list(tuned), groups, resampling=Resampling(resamples=400), pass_fail=pass_fail, threshold=threshold
    )
