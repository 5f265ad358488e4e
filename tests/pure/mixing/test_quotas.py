"""Quotas: shares and budgets are kept, nothing is cut without need, and what cannot be is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finelake.config.settings import Cap, Mixing, Weights
from finelake.errors import InputError
from finelake.mixing.quotas import share_quotas, weighted_quotas

totals_by_value = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**6), min_size=1)


def kept(totals: dict[str, int], quotas: dict[str, int]) -> dict[str, int]:
    return {value: min(tokens, quotas.get(value, tokens)) for value, tokens in totals.items()}


@given(totals_by_value, st.floats(0.05, 0.95))
def test_no_value_exceeds_its_share_of_what_is_left(totals: dict[str, int], share: float) -> None:
    try:
        quotas = share_quotas(totals, share=share, values=None, budget=None)
    except InputError:
        return
    left = kept(totals, quotas)
    assert all(tokens <= share * sum(left.values()) + len(totals) for tokens in left.values())


def test_a_share_cuts_to_the_largest_mix_that_holds_it() -> None:
    assert share_quotas({"en": 900, "de": 100}, share=0.6, values=("en",), budget=None) == {"en": 150}
    assert share_quotas({"en": 100, "de": 100}, share=0.6, values=None, budget=None) == {}


def test_a_share_of_a_budget_is_a_part_of_the_budget() -> None:
    assert share_quotas({"en": 900, "de": 600}, share=0.5, values=("en",), budget=400) == {"en": 200}


def test_shares_that_no_mix_can_hold_are_refused() -> None:
    with pytest.raises(InputError, match="more than 1/2"):
        share_quotas({"en": 900, "de": 100}, share=0.4, values=None, budget=None)


@given(totals_by_value, st.integers(1, 10**7), st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.1, 10.0)))
def test_a_budget_is_filled_as_far_as_there_are_tokens(
    totals: dict[str, int], budget: int, weights: dict[str, float]
) -> None:
    left = kept(totals, weighted_quotas(totals, weights=weights, other=1.0, budget=budget))
    assert sum(left.values()) <= budget
    assert sum(left.values()) >= min(budget, sum(totals.values())) - len(totals)


def test_weights_are_the_proportions_and_what_is_missing_goes_to_the_rest() -> None:
    totals = {"a": 1000, "b": 1000, "c": 10}
    quotas = weighted_quotas(totals, weights={"a": 3.0, "b": 1.0, "c": 1.0}, other=0.0, budget=410)
    assert quotas == {"a": 300, "b": 100, "c": 10}


def test_weight_zero_leaves_nothing_even_where_the_budget_would_hold_it() -> None:
    assert weighted_quotas({"a": 5, "b": 5}, weights={"a": 1.0}, other=0.0, budget=100) == {"a": 5, "b": 0}


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="tokens or share"):
        Cap(column="topic")
    with pytest.raises(ValueError, match="budget_tokens"):
        Mixing(weights=Weights(column="topic", values={"1": 2.0}))
