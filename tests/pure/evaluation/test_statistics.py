"""Tests of finelake.evaluation.statistics: determinism, hand-made cases, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from finelake.evaluation.statistics import Interval, Resampling, paired_difference

SIMULATIONS = 150


def covered(seed: int, *, clustered: bool) -> int:
    """Count simulated comparisons whose interval holds the true gain of 1.0.

    40 users with 1 to 6 items each; a user's items share an effect (standard deviation 1) beside noise of their
    own (0.5), so that items of one user are strongly alike.
    """
    random = np.random.default_rng(seed)
    hits = 0
    for _ in range(SIMULATIONS):
        sizes = random.integers(1, 7, size=40)
        users = np.repeat(np.arange(40), sizes)
        gains = 1.0 + np.repeat(random.normal(0, 1, size=40), sizes) + random.normal(0, 0.5, size=len(users))
        base = random.normal(0, 3, size=len(users))
        groups = [str(user) for user in users] if clustered else [str(at) for at in range(len(users))]
        found = paired_difference(list(base), list(base + gains), groups, resampling=Resampling(resamples=500))
        assert found.interval is not None
        hits += found.interval.low <= 1.0 <= found.interval.high
    return hits


def test_clustered_intervals_cover_at_their_nominal_rate_and_naive_ones_do_not() -> None:
    # With 40 groups the bootstrap is known to fall a little short of 95 %. The count must be one that a true rate
    # of 91 % to 97.5 % gives, with 1 % left out on either side.
    clustered = covered(11, clustered=True)
    assert binom.ppf(0.01, SIMULATIONS, 0.91) <= clustered <= binom.ppf(0.99, SIMULATIONS, 0.975)
    # Items taken as independent give narrow intervals: fewer hits than a true rate of 90 % would give.
    assert covered(11, clustered=False) < binom.ppf(0.01, SIMULATIONS, 0.90)


def test_the_same_seed_gives_the_same_interval_whatever_the_order_of_items() -> None:
    random = np.random.default_rng(3)
    base, tuned = random.normal(size=60), random.normal(0.3, 1, size=60)
    groups = [f"user-{at % 17}" for at in range(60)]
    order = random.permutation(60)
    first = paired_difference(list(base), list(tuned), groups, resampling=Resampling())
    again = paired_difference(list(base), list(tuned), groups, resampling=Resampling())
    mixed = paired_difference(
        list(base[order]), list(tuned[order]), [groups[at] for at in order], resampling=Resampling()
    )
    assert first == again
    assert first.interval is not None
    assert mixed.interval is not None
    assert (mixed.interval.low, mixed.interval.high) == pytest.approx((first.interval.low, first.interval.high))


def test_another_seed_gives_another_interval() -> None:
    random = np.random.default_rng(3)
    tuned, groups = list(random.normal(size=40)), [str(at) for at in range(40)]
    first = paired_difference([0.0] * 40, tuned, groups, resampling=Resampling(seed=1))
    second = paired_difference([0.0] * 40, tuned, groups, resampling=Resampling(seed=2))
    assert first.interval != second.interval


def test_means_and_difference_are_over_items() -> None:
    found = paired_difference([0, 0, 0, 1], [1, 1, 0, 1], ["a", "a", "b", "c"], resampling=Resampling())
    assert (found.base_mean, found.tuned_mean, found.difference) == (0.25, 0.75, 0.5)
    assert (found.items, found.groups) == (4, 3)
    assert found.interval is not None
    assert found.interval.low <= 0.5 <= found.interval.high


def test_pairing_takes_out_what_both_models_share() -> None:
    random = np.random.default_rng(5)
    base = random.normal(50, 20, size=50)
    tuned = base + 1 + random.normal(0, 0.1, size=50)
    found = paired_difference(list(base), list(tuned), [str(at) for at in range(50)], resampling=Resampling())
    assert found.interval is not None
    assert found.interval.low > 0.9
    assert found.interval.high < 1.1


def test_more_confidence_gives_a_wider_interval() -> None:
    random = np.random.default_rng(5)
    tuned, groups = list(random.normal(size=50)), [str(at) for at in range(50)]
    narrow = paired_difference([0.0] * 50, tuned, groups, resampling=Resampling(confidence=0.8)).interval
    wide = paired_difference([0.0] * 50, tuned, groups, resampling=Resampling(confidence=0.99)).interval
    assert narrow is not None
    assert wide is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_equal_differences_give_a_point() -> None:
    found = paired_difference([0, 1, 2], [2, 3, 4], ["a", "b", "c"], resampling=Resampling())
    assert found.interval == Interval(2.0, 2.0)


@pytest.mark.parametrize("ones", [1, 2, 29])
def test_rare_wins_and_losses_still_give_a_finite_interval(ones: int) -> None:
    tuned = [1.0] * ones + [0.0] * (30 - ones)
    groups = [str(at) for at in range(30)]
    found = paired_difference([0.0] * 30, tuned, groups, resampling=Resampling(), pass_fail=True)
    assert found.interval is not None
    assert -0.2 < found.interval.low < found.difference < found.interval.high <= 1.0


def test_one_group_has_no_interval() -> None:
    assert paired_difference([0, 0], [1, 0], ["a", "a"], resampling=Resampling()).interval is None


@pytest.mark.parametrize(("base", "groups"), [([], []), ([1.0], ["a", "b"])])
def test_sequences_that_do_not_match_are_refused(base: list[float], groups: list[str]) -> None:
    with pytest.raises(ValueError, match="must match"):
        paired_difference(base, base, groups, resampling=Resampling())
