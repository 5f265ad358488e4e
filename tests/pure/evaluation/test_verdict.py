"""Tests of finelake.evaluation.verdict: the table of rules, and sentences that carry their numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finelake.config.evaluation import Gate
from finelake.evaluation.statistics import Interval, PairedDifference
from finelake.evaluation.verdict import decide

GATE = Gate(metric="chrf", min_gain=1.0, min_examples=30, min_groups=10)


def gain(low: float, high: float, *, items: int = 50, groups: int = 20) -> PairedDifference:
    middle = (low + high) / 2
    return PairedDifference(items, groups, 40.0, 40.0 + middle, middle, Interval(low, high))


@pytest.mark.parametrize(
    ("found", "decision"),
    [
        (gain(1.1, 5.0), "promote"),
        (gain(1.0, 5.0), "hold"),
        (gain(0.5, 5.0), "hold"),
        (gain(-5.0, 5.0), "hold"),
        (gain(-5.0, 0.0), "hold"),
        (gain(-5.0, -0.1), "reject"),
        (gain(1.1, 5.0, items=29), "hold"),
        (gain(1.1, 5.0, items=30), "promote"),
        (gain(-5.0, -0.1, items=29), "hold"),
        (gain(1.1, 5.0, groups=9), "hold"),
        (gain(1.1, 5.0, groups=10), "promote"),
        (PairedDifference(50, 1, 40.0, 45.0, 5.0, None), "hold"),
    ],
)
def test_the_gate_metric_decides(found: PairedDifference, decision: str) -> None:
    assert decide({"chrf": found}, gate=GATE).decision == decision


@pytest.mark.parametrize(
    ("calls", "decision"),
    [
        (gain(-0.3, -0.1), "hold"),
        (gain(-0.3, 0.0), "promote"),
        (gain(0.1, 0.2), "promote"),
        (PairedDifference(3, 1, 1.0, 0.0, -1.0, None), "promote"),
    ],
)
def test_a_guard_that_has_fallen_holds_a_gain(calls: PairedDifference, decision: str) -> None:
    verdict = decide({"chrf": gain(2.0, 5.0), "tool_call_match": calls}, gate=GATE)
    assert verdict.decision == decision


def test_a_fallen_guard_does_not_soften_a_rejection() -> None:
    verdict = decide({"chrf": gain(-5.0, -2.0), "tool_call_match": gain(-0.3, -0.1)}, gate=GATE)
    assert verdict.decision == "reject"


def test_only_the_guards_that_are_set_count() -> None:
    differences = {"chrf": gain(2.0, 5.0), "tool_call_match": gain(-0.3, -0.1)}
    assert decide(differences, gate=GATE.model_copy(update={"guards": ()})).decision == "promote"


def test_token_f1_can_be_the_gate() -> None:
    differences = {"chrf": gain(2.0, 5.0), "token_f1": gain(-0.2, -0.1)}
    gate = GATE.model_copy(update={"metric": "token_f1", "min_gain": 0.0})
    assert decide(differences, gate=gate).decision == "reject"


def test_reasons_carry_the_numbers() -> None:
    verdict = decide({"chrf": gain(2.0, 5.0), "tool_call_match": gain(-0.5, 0.25)}, gate=GATE)
    assert verdict.reasons[0] == (
        "chrF (0-100): 40.0 to 43.5 (+3.5; 95 % interval +2.0 to +5.0; 50 answers in 20 groups). "
        "The whole interval is above the gain asked for, +1.0."
    )
    assert "-0.500 to +0.250" in verdict.reasons[1]


def test_a_guard_without_measurement_says_so() -> None:
    assert "could not be measured" in decide({"chrf": gain(2.0, 5.0)}, gate=GATE).reasons[1]


def test_too_few_answers_are_said_with_the_limit() -> None:
    reason = decide({"chrf": gain(2.0, 5.0, items=12)}, gate=GATE).reasons[0]
    assert reason.startswith("Only 12 answers, 30 are needed to decide.")


@pytest.mark.parametrize(("found", "code"), [(gain(2.0, 5.0), 0), (gain(0.0, 5.0), 10), (gain(-5.0, -2.0), 11)])
def test_exit_codes(found: PairedDifference, code: int) -> None:
    assert decide({"chrf": found}, gate=GATE).exit_code == code


def test_a_gain_that_few_groups_may_not_bear_is_held_and_a_loss_too() -> None:
    hidden = replace(gain(2.0, 5.0), cautious=Interval(-0.5, 7.5))
    verdict = decide({"chrf": hidden}, gate=GATE)
    assert verdict.decision == "hold"
    assert "20 groups can hide a few large losses: allowing for them it begins at -0.5" in verdict.reasons[0]
    assert decide({"chrf": replace(hidden, cautious=Interval(1.1, 6.0))}, gate=GATE).decision == "promote"
    assert decide({"chrf": replace(gain(-5.0, -2.0), cautious=Interval(-7.0, 0.1))}, gate=GATE).decision == "hold"
