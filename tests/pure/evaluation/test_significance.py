"""Tests of finelake.evaluation.significance and power: values worked out by hand, and drawn against whole counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from finelake.evaluation.power import clean_groups_needed, detectable_difference, groups_needed, t_quantile
from finelake.evaluation.significance import McNemar, adjusted_wald, holm, mcnemar, share_interval, sign_flip


def test_sign_flips_of_three_groups_are_counted() -> None:
    # Of the 8 patterns of +-1 +-2 +-3 one reaches 6; two reach it in either direction.
    found = sign_flip(np.array([1.0, 2.0, 3.0]), seed=1)
    assert (found.greater, found.two_sided) == (1 / 8, 2 / 8)


def test_a_loss_is_as_surprising_as_a_gain() -> None:
    found = sign_flip(np.array([-1.0, -2.0, -3.0]), seed=1)
    assert (found.greater, found.two_sided) == (1.0, 2 / 8)


def test_drawn_patterns_agree_with_all_patterns() -> None:
    sums = np.random.default_rng(4).normal(0.4, 1, size=13)
    whole = sign_flip(sums, seed=1).greater
    drawn = sign_flip(np.append(sums, 0.0), seed=1).greater  # a group without a difference changes nothing
    assert drawn == pytest.approx(whole, abs=0.02)
    assert sign_flip(np.append(sums, 0.0), seed=1) == sign_flip(np.append(sums, 0.0), seed=1)


def test_no_difference_at_all_is_no_surprise() -> None:
    assert sign_flip(np.zeros(20), seed=1).two_sided == 1.0


def test_mcnemar_is_the_binomial_of_discordant_pairs() -> None:
    before = np.array([0.0] * 8 + [1.0] * 2 + [1.0] * 5)
    after = np.array([1.0] * 8 + [0.0] * 2 + [1.0] * 5)
    assert mcnemar(before, after) == McNemar(8, 2, pytest.approx(2 * (1 + 10 + 45) / 1024))
    assert mcnemar(after, after).p_value == 1.0


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_adjusted_wald_without_discordant_pairs_still_has_a_width() -> None:
    found = adjusted_wald(McNemar(0, 0, 1.0), groups=58, items=58, confidence=0.95)
    reach = norm.ppf(0.975) * np.sqrt(2 / 60 / 60)
    assert (found.low, found.high) == pytest.approx((-reach, reach))


def test_clean_groups_needed_is_the_first_size_that_proves_it() -> None:
    needed = clean_groups_needed(0.05, confidence=0.95)

    def low(groups: int) -> float:
        return adjusted_wald(McNemar(0, 0, 1.0), groups=groups, items=groups, confidence=0.95).low

    assert low(needed) > -0.05 >= low(needed - 1)


def test_exact_share_interval() -> None:
    found = share_interval(10, 10, confidence=0.95)
    assert (found.share, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 10))
    assert found.p_half == pytest.approx(2 / 1024)
    assert share_interval(0, 0, confidence=0.95).share is None


def test_groups_needed_grow_with_the_square() -> None:
    detectable = detectable_difference(1.0, groups=25, critical=t_quantile(24, 0.975))
    assert detectable == pytest.approx(2.064 + 0.857, abs=0.001)  # t of 24 degrees of freedom at 97.5 % and 80 %
    assert groups_needed(2.0, groups=25, difference=1.0) == 100
    assert groups_needed(2.0, groups=25, difference=0.0) is None
    assert detectable_difference(0.0, groups=25, critical=2.0) is None
