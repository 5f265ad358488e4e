"""Ties, copies and missing places: which order the turns get, and that it never depends on how they arrive."""

from __future__ import annotations

from itertools import permutations

import pytest

from finelake.conversations.order import order_turns
from finelake.conversations.repair import repair
from finelake.conversations.turns import RepairPolicy, TurnRow
from finelake.errors import ConfigError

POLICY = RepairPolicy()


def texts(turns: list[TurnRow]) -> list[str | None]:
    ordered = order_turns(turns, policy=POLICY)
    return [ordered.turns[position].get("x") for position in ordered.positions]


TIED: dict[str, list[TurnRow]] = {
    "index wins over time": [{"i": 0, "t": 30, "x": "a"}, {"i": 1, "t": 20, "x": "b"}, {"i": 2, "t": 10, "x": "c"}],
    "time decides within an index": [
        {"i": 0, "t": 9, "x": "a"},
        {"i": 1, "t": 1, "x": "b"},
        {"i": 1, "t": 2, "x": "c"},
    ],
    "time alone": [{"t": 1, "x": "a"}, {"t": 2, "x": "b"}, {"t": 3, "x": "c"}],
    "time where an index is missing": [{"i": 0, "t": 1, "x": "a"}, {"t": 2, "x": "b"}, {"i": 2, "t": 3, "x": "c"}],
    "index decides within a time": [{"i": 0, "t": 1, "x": "a"}, {"i": 1, "t": 1, "x": "b"}, {"t": 2, "x": "c"}],
}


@pytest.mark.parametrize("turns", TIED.values(), ids=TIED.keys())
def test_order_is_the_same_for_every_arrival(turns: list[TurnRow]) -> None:
    for arrival in permutations(turns):
        assert texts(list(arrival)) == ["a", "b", "c"]


def test_copies_that_differ_in_weight_give_the_same_result_for_every_arrival() -> None:
    turns: list[TurnRow] = [
        {"i": 0, "r": "user", "x": "Hi"},
        {"i": 1, "r": "assistant", "x": "Hello.", "w": 1},
        {"i": 1, "r": "assistant", "x": "Hello.", "w": 0},
        {"i": 2, "r": "user", "x": "Bye"},
        {"i": 3, "r": "assistant", "x": "Goodbye."},
    ]
    results = [repair(list(arrival)) for arrival in permutations(turns)]
    assert all(result == results[0] for result in results)
    assert results[0].counts.duplicate == 1


def test_results_of_two_calls_with_the_same_content_are_no_copies() -> None:
    turns: list[TurnRow] = [
        {"t": 1, "i": 0, "r": "tool", "x": "ok", "d": "c1"},
        {"t": 2, "i": 0, "r": "tool", "x": "ok", "d": "c2"},
    ]
    assert texts(turns) == ["ok", "ok"]


def test_a_gap_counts_what_is_missing_between_first_and_last() -> None:
    turns: list[TurnRow] = [{"i": index, "r": "user", "x": str(index)} for index in (4, 5, 8, 10)]
    (gap,) = [decision for decision in repair(turns).decisions if decision.reason == "turn_gap"]
    assert (gap.turns, gap.value, gap.threshold) == ([2, 3], "3", "0")


def test_clock_skew_reports_the_largest_step_back_in_seconds() -> None:
    times = [0, 60_000_000, 50_000_000, 70_000_000, 40_000_000]
    turns: list[TurnRow] = [{"i": n, "t": time, "r": "user", "x": "x"} for n, time in enumerate(times)]
    (skew,) = order_turns(turns, policy=POLICY).decisions
    assert (skew.turns, skew.value, skew.threshold) == ([2, 4], "30.0", "5.0")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gaps", "drop"),
        ("clock_skew", "trim"),
        ("clock_skew_tolerance_seconds", -1.0),
        ("clock_skew_tolerance_seconds", float("nan")),
        ("max_turns", 0),
        ("merge_separator", ""),
        ("merge_separator", " and "),
        ("assistant_leading", "merge"),
    ],
)
def test_a_policy_value_that_is_not_allowed_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        RepairPolicy(**{field: value})
