"""Tests of finelake.evaluation.metrics: values worked out by hand."""

from __future__ import annotations

import pytest

from finelake.evaluation.metrics.calls import tool_call_match
from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.matching import exact_match
from finelake.evaluation.metrics.registry import BUILT_IN
from finelake.evaluation.metrics.similarity import chrf, token_f1
from finelake.evaluation.metrics.size import length_ratio
from finelake.evaluation.replies import Reply, ToolCall

NEED_MORE = {"schema_valid", "tool_arguments_valid", "language_match"}  # a schema, tools on offer, text
CALL = Reply("", (ToolCall("book", '{"seats": 2, "day": "mon"}'),))


def value(name: str, answer: Reply, reference: Reply) -> float | None:
    return BUILT_IN[name].measure(Case(answer=answer, reference=reference))


def test_chrf_follows_its_formula() -> None:
    # Orders 1 to 2 exist in both ("ab" against "abc"); order 3 only in the reference, which sacrebleu's effective
    # order leaves out. Precision 1 and 1, recall 2/3 and 1/2: P = 1, R = 7/12; F2 = 5PR / (4P + R).
    recall = (2 / 3 + 1 / 2) / 2
    assert chrf(Reply("ab"), Reply("abc")) == pytest.approx(100 * 5 * recall / (4 + recall))


def test_chrf_of_equal_and_of_foreign_text() -> None:
    assert chrf(Reply("好"), Reply("好")) == 100.0
    assert chrf(Reply("xyz"), Reply("abc")) == 0.0


def test_token_f1_counts_shared_tokens() -> None:
    # 3 of the answer's 4 tokens and 3 of the reference's 6: P = 3/4, R = 1/2, F = 0.6.
    answer, reference = Reply("The train leaves late."), Reply("Your train leaves nine, the end")
    assert token_f1(answer, reference) == pytest.approx(0.6)


def test_token_f1_reads_languages_without_spaces() -> None:
    # 3 shared characters, 4 and 5 in all: F = 2 * 3 / 9.
    assert token_f1(Reply("我要订票"), Reply("我想要买票")) == pytest.approx(6 / 9)


def test_token_f1_of_equal_text_without_words_is_one() -> None:
    assert token_f1(Reply("👍"), Reply("👍")) == 1.0


def test_exact_match_ignores_composition_and_white_space_only() -> None:
    assert exact_match(Reply("e\u0301t  e\n"), Reply("ét e")) == 1.0
    assert exact_match(Reply("Yes"), Reply("yes")) == 0.0


@pytest.mark.parametrize("name", ["chrf", "token_f1", "exact_match", "reply_kind_match"])
def test_the_other_kind_of_reply_scores_nothing(name: str) -> None:
    as_text = Reply('book {"day":"mon","seats":2}')
    assert value(name, as_text, CALL) == 0.0
    assert value(name, CALL, as_text) == 0.0


@pytest.mark.parametrize("name", ["chrf", "token_f1", "exact_match", "reply_kind_match", "non_empty", "length_ratio"])
def test_an_empty_answer_scores_nothing(name: str) -> None:
    assert value(name, Reply(), Reply("Hello")) == 0.0
    assert value(name, Reply(), CALL) == 0.0


@pytest.mark.parametrize("name", ["exact_match", "reply_kind_match", "tool_name_match", "tool_call_match"])
def test_the_same_call_written_otherwise_matches(name: str) -> None:
    assert value(name, Reply("", (ToolCall("book", '{"day":"mon","seats":2.0}'),)), CALL) == 1.0


@pytest.mark.parametrize(
    ("calls", "names_match"),
    [
        ((ToolCall("book", '{"seats": 3, "day": "mon"}'),), 1.0),
        ((ToolCall("book", '{"seats": 2'),), 1.0),
        ((ToolCall("find", '{"seats": 2, "day": "mon"}'),), 0.0),
        ((*CALL.tool_calls, *CALL.tool_calls), 0.0),
        ((), 0.0),
    ],
)
def test_a_different_call_does_not_match(calls: tuple[ToolCall, ...], names_match: float) -> None:
    answer = Reply("text", calls)
    assert tool_call_match(answer, CALL) == 0.0
    assert value("tool_name_match", answer, CALL) == names_match


def test_parallel_calls_match_in_any_order() -> None:
    one, two = ToolCall("a", "{}"), ToolCall("b", "{}")
    assert tool_call_match(Reply("", (two, one)), Reply("", (one, two))) == 1.0


def test_unreadable_arguments_match_nothing_not_even_themselves() -> None:
    broken = Reply("", (ToolCall("a", "{"),))
    assert tool_call_match(broken, broken) == 0.0


def test_tool_metrics_do_not_apply_to_text() -> None:
    assert value("tool_name_match", CALL, Reply("Hello")) is None
    assert value("tool_call_match", CALL, Reply("Hello")) is None


def test_length_ratio_is_in_characters() -> None:
    assert length_ratio(Reply("12345678"), Reply("1234")) == 2.0
    assert length_ratio(Reply("a"), Reply("")) is None


@pytest.mark.parametrize("name", [name for name, metric in BUILT_IN.items() if metric.better == "higher"])
def test_a_perfect_answer_is_perfect_in_every_metric(name: str) -> None:
    best = 100.0 if name == "chrf" else 1.0
    assert value(name, CALL, CALL) in ((None,) if name in NEED_MORE else (best,))
    assert value(name, Reply("Your table is booked."), Reply("Your table is booked.")) in (best, None)
