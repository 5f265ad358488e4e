"""Simulations: intervals cover as they claim, and gate and guards are wrong no more often than they claim.

A bound is the count that a true rate at the claimed limit gives in all but 1 % of cases.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from tests.pure.evaluation.simulations import Effects, normal, passes, scores, skewed, skewed_down, sparse

from finelake.evaluation.caution import skewed_critical
from finelake.evaluation.power import detectable_difference
from finelake.evaluation.significance import holm, sign_flip

RUNS = 200


def at_most(rate: float, runs: int = RUNS) -> float:
    return float(binom.ppf(0.99, runs, rate)) / runs


def at_least(rate: float, runs: int = RUNS) -> float:
    return float(binom.ppf(0.01, runs, rate)) / runs


@pytest.mark.parametrize("groups", [10, 30])
def test_intervals_cover_also_with_few_groups(groups: int) -> None:
    assert scores(seed=11, runs=RUNS, groups=groups, gain=1.0).covered >= at_least(0.93)


@pytest.mark.parametrize("groups", [10, 20, 40])
@pytest.mark.parametrize("effects", [normal, skewed, skewed_down], ids=lambda effects: str(effects.__name__))
def test_the_gate_promotes_no_better_than_chance_as_rarely_as_it_claims(groups: int, effects: Effects) -> None:
    assert scores(seed=5, runs=RUNS, groups=groups, effects=effects).promoted <= at_most(0.025)


@pytest.mark.parametrize("groups", [10, 20, 40])
@pytest.mark.parametrize("turned", [0.02, 0.15])
def test_the_gate_claims_the_same_for_sparse_values_of_0_and_1(groups: int, turned: float) -> None:
    assert sparse(seed=5, runs=RUNS, groups=groups, turned=turned).promoted <= at_most(0.025)


def test_without_caution_many_small_gains_and_few_large_losses_would_be_promoted_too_often() -> None:
    assert scores(seed=5, runs=RUNS, groups=10, effects=skewed_down).by_interval > at_most(0.025)


def test_a_true_gain_of_the_detectable_size_is_promoted_in_about_80_percent() -> None:
    # Group effects of 1 and item noise of 0.5 over groups of 1 to 6 items: about this standard error of the mean.
    groups, sizes = 30, np.arange(1, 7)
    error = np.sqrt((1.0 * (sizes**2).mean() + 0.25 * sizes.mean()) / groups) / sizes.mean()
    critical = skewed_critical(np.full(groups, 3.5), confidence=0.95, seed=1)
    gain = detectable_difference(float(error), groups=groups, critical=critical)
    assert gain is not None
    promoted = scores(seed=8, runs=RUNS, groups=groups, gain=gain).promoted
    assert at_least(0.68) <= promoted <= at_most(0.88)


def test_a_guard_lets_a_true_loss_of_the_margin_pass_as_rarely_as_it_claims() -> None:
    covered, excluded = passes(seed=3, runs=RUNS, groups=60, won=0.0, lost=0.05, margin=0.05)
    assert covered >= at_least(0.95)
    assert excluded <= at_most(0.025)


def test_a_guard_that_is_clean_passes_with_enough_groups() -> None:
    assert passes(seed=3, runs=20, groups=60, won=0.0, lost=0.0, margin=0.05) == (1.0, 1.0)


def test_holm_keeps_the_chance_of_any_false_finding() -> None:
    random = np.random.default_rng(2)
    false = 0
    for run in range(RUNS):
        shared = random.normal(size=12)  # metrics are alike, as chrF and ROUGE are
        p_values = {str(m): sign_flip(shared + random.normal(size=12), seed=run).two_sided for m in range(8)}
        false += min(holm(p_values).values()) <= 0.05
    assert false / RUNS <= at_most(0.05)
