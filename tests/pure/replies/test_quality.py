"""Precision and recall of the rules on labelled replies with hard negatives."""

from __future__ import annotations

import pytest

from finelake.config.replies import Origins, Replies
from finelake.replies.judge import Judge
from finelake.replies.plan import ReplyPlan
from finelake.replies.turn_rules import TURN_RULES
from support.reply_scores import Case, Score, cases, found_in, scores

CASES = cases()
JUDGE = Judge(ReplyPlan(rules=Replies(), origins=Origins()))
# Said in words that the lists do not have; they are counted as missed.
MISSED = {
    "I must decline to answer that one.",
    "You will be handed over to the night shift.",
    "My deepest apologies for this awful mess.",
    "I would be happy to explain how the deposit wor",
}


@pytest.fixture(scope="module")
def measured() -> dict[str, Score]:
    return scores()


def test_there_are_enough_cases_and_a_third_are_hard_negatives() -> None:
    assert len(CASES) >= 300
    assert sum(not case.rules for case in CASES) >= 100
    assert len({case.reply for case in CASES}) >= len(CASES) - 10


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reply[:40].encode("ascii", "replace").decode())
def test_each_reply_is_found_by_the_rules_that_are_named_and_by_no_other(case: Case) -> None:
    if case.reply in MISSED or case.reply.startswith("panic:"):
        assert found_in(JUDGE, case) == set()
    else:
        assert found_in(JUDGE, case) == case.rules


def test_no_rule_finds_what_it_should_not_and_each_finds_most_of_the_rest(measured: dict[str, Score]) -> None:
    assert {rule: score.precision for rule, score in measured.items() if score.precision < 1} == {}
    assert {rule: score.recall for rule, score in measured.items() if score.recall < 0.85} == {}


def test_each_rule_about_text_has_cases_it_should_find_and_cases_it_should_not() -> None:
    near = {case.near for case in CASES}
    for rule in (*TURN_RULES, "mojibake", "echo", "language", "repetition"):
        assert any(rule in case.rules for case in CASES), rule
        assert rule in near, rule
