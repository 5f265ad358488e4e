"""Tests of finelake.evaluation.guards and of the verdict's further rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from finelake.config.evaluation import Gate, Suite
from finelake.evaluation.guards import SuiteFound
from finelake.evaluation.judge import PREFERENCE
from finelake.evaluation.metrics.registry import BUILT_IN
from finelake.evaluation.statistics import Interval, PairedDifference
from finelake.evaluation.verdict import Circumstances, Verdict, decide

GATE = Gate()
WON = PairedDifference(50, 20, 40.0, 43.0, 3.0, Interval(1.0, 5.0), p_value=0.001, threshold=0.0, p_gain=0.0005)


def change(low: float, high: float, *, items: int = 100, groups: int = 60, p: float = 0.001) -> PairedDifference:
    middle = (low + high) / 2
    return PairedDifference(items, groups, 0.9, 0.9 + middle, middle, Interval(low, high), p_value=p)


def verdict(gate: Gate = GATE, gain: PairedDifference = WON, **others: PairedDifference) -> Verdict:
    return decide({"chrf": gain, **others}, gate=gate)


def with_suite(found: PairedDifference | None, *, gate: Gate = GATE, **settings: Any) -> Verdict:
    suite = Suite(name="safety", jsonl="x", kind="refusals", guard=True, **settings)
    metrics = {} if found is None else {"refusal_match": found}
    circumstances = Circumstances(suites=[SuiteFound(suite, 100, 60, metrics)])
    return decide({"chrf": WON}, gate=gate, circumstances=circumstances)


@pytest.mark.parametrize(
    ("found", "decision", "told"),
    [
        (change(-0.04, 0.01), "promote", "A loss beyond the margin, -0.050, is excluded."),
        (change(-0.05, 0.02), "hold", "is not excluded. It takes at least 54 independent prompts"),
        (change(-0.20, -0.06), "hold", "The loss is beyond the margin"),
        (change(0.0, 0.0, items=19, groups=19), "hold", "Fewer than 20 answers or 10 groups"),
        (change(0.0, 0.0, items=90, groups=9), "hold", "Fewer than 20 answers or 10 groups"),
        (None, "hold", "could not be measured"),
    ],
)
def test_a_guard_suite_must_exclude_a_loss(found: PairedDifference | None, decision: str, told: str) -> None:
    given = with_suite(found)
    assert given.decision == decision
    assert any(told in reason for reason in given.reasons)


def test_a_regression_can_be_a_rejection_but_a_doubt_cannot() -> None:
    strict = Gate(on_regression="reject")
    assert with_suite(change(-0.2, -0.06), gate=strict).decision == "reject"
    assert with_suite(change(-0.05, 0.02), gate=strict).decision == "hold"


def test_a_suite_that_is_no_guard_stops_nothing() -> None:
    suite = Suite(name="other", jsonl="x")
    found = SuiteFound(suite, 100, 60, {"chrf": change(-50.0, -40.0)})
    assert decide({"chrf": WON}, gate=GATE, circumstances=Circumstances(suites=[found])).decision == "promote"


def test_the_margin_is_a_share_of_the_metrics_range() -> None:
    suite = Suite(name="faq", jsonl="x", guard=True, margin=0.05)
    for low, decision in ((-4.9, "promote"), (-5.1, "hold")):
        around = Circumstances(suites=[SuiteFound(suite, 100, 60, {"chrf": change(low, 1.0)})])
        assert decide({"chrf": WON}, gate=GATE, circumstances=around).decision == decision


def test_slower_is_a_fall_where_lower_is_better() -> None:
    gate = Gate(guards=("latency",))
    assert verdict(gate, latency=change(0.2, 0.4)).decision == "hold"
    assert verdict(gate, latency=change(-0.4, -0.2)).decision == "promote"


def test_several_guards_are_corrected_for_being_several() -> None:
    fallen = {name: change(-0.2, -0.01, p=0.03) for name in ("tool_call_match", "tool_name_match")}
    gate = Gate(guards=tuple(fallen))
    assert verdict(gate, **fallen).decision == "promote"
    assert verdict(gate.model_copy(update={"correction": "none"}), **fallen).decision == "hold"
    assert verdict(Gate(), **fallen).decision == "hold"


def test_an_interval_that_chance_could_give_does_not_promote() -> None:
    given = verdict(gain=replace(WON, p_gain=0.04))
    assert given.decision == "hold"
    assert "p = 0.040 (sign-flip test)" in given.reasons[0]


def test_an_interval_that_chance_could_give_does_not_reject() -> None:
    lost = replace(WON, interval=Interval(-3.0, -0.5))
    assert verdict(gain=lost).decision == "reject"
    assert verdict(gain=replace(lost, p_value=0.06)).decision == "hold"


def test_what_the_size_could_have_shown_is_said() -> None:
    unsure = replace(WON, interval=Interval(-1.0, 7.0), detectable=6.0)
    assert "A true gain of 6.0 would have shown in 80 % of such comparisons" in verdict(gain=unsure).reasons[0]
    assert "to show one of 3.0 takes about 80 groups" in verdict(gain=unsure).reasons[0]


def test_an_ended_budget_is_never_a_promotion() -> None:
    given = decide({"chrf": WON}, gate=GATE, circumstances=Circumstances(unasked=3))
    assert given.decision == "hold"
    assert "3 questions unasked" in given.reasons[0]


def test_a_gate_metric_that_nothing_was_measured_by_is_held() -> None:
    assert decide({}, gate=GATE).decision == "hold"


def test_an_unreliable_judge_decides_nothing_as_the_gate() -> None:
    metrics = {**BUILT_IN, PREFERENCE.name: PREFERENCE}
    gate = Gate(metric=PREFERENCE.name)
    around = Circumstances(unreliable_judge="The judge is unreliable.")
    given = decide({PREFERENCE.name: WON}, gate=gate, metrics=metrics, circumstances=around)
    assert (given.decision, given.reasons[0]) == ("hold", "The judge is unreliable.")
    assert decide({"chrf": WON}, gate=GATE, circumstances=around).decision == "promote"
