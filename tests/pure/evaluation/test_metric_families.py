"""Tests of the metric families beside similarity: one pass, one fail, one that does not apply, each by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from finelake.errors import ConfigError
from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.matching import numeric_match
from finelake.evaluation.metrics.refusal import is_refusal
from finelake.evaluation.metrics.registry import BUILT_IN, metrics_of
from finelake.evaluation.metrics.similarity import rouge_l
from finelake.evaluation.metrics.validity import check_schema
from finelake.evaluation.replies import Reply, ToolCall

BOOK = Reply("", (ToolCall("book", '{"day":"mon","seats":2}'),))
PARAMETERS = {
    "type": "object",
    "properties": {"day": {"type": "string"}, "seats": {"type": "integer"}},
    "required": ["day"],
}
TOOLS = [{"type": "function", "function": {"name": "book", "parameters": PARAMETERS}}]
SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}


def measured(name: str, answer: Reply | str, **case: Any) -> float | None:
    reply = Reply(answer) if isinstance(answer, str) else answer
    return BUILT_IN[name].measure(Case(answer=reply, **case))


def asked(text: str) -> dict[str, Any]:
    return {"request": {"messages": [{"role": "user", "content": text}]}}


def test_rouge_l_follows_the_longest_common_subsequence() -> None:
    # "the train late" in order: 3 of the answer's 4 words, 3 of the reference's 5: F = 2 * 3 / 9.
    assert rouge_l(Reply("the train leaves late"), Reply("the old train is late")) == pytest.approx(6 / 9)


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        ("It costs 1,234.50 for 2.", "2 seats cost 1234.5", 1.0),
        ("1.234,50", "1,234.50", 1.0),
        ("at 10:16", "at 10:15", 0.0),
        ("3", "3 and 3", 0.0),
        ("-5", "5", 0.0),
        ("\uff11\uff12 o'clock", "12", 1.0),
        ("anything", "no number at all", None),
    ],
)
def test_numbers_are_compared_by_value(answer: str, reference: str, value: float | None) -> None:
    assert numeric_match(Reply(answer), Reply(reference)) == value


def test_arguments_are_scored_in_part() -> None:
    # Name and day are shared: 2 facts of 3 on either side.
    wrong_seats = Reply("", (ToolCall("book", '{"seats":3,"day":"mon"}'),))
    assert measured("tool_argument_match", wrong_seats, reference=BOOK) == pytest.approx(4 / 6)
    assert measured("tool_argument_match", BOOK, reference=BOOK) == 1.0
    assert measured("tool_argument_match", "text", reference=BOOK) == 0.0
    assert measured("tool_argument_match", BOOK, reference=Reply("text")) is None


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("book", '{"day":"tue"}', 1.0),
        ("book", '{"seats":2}', 0.0),
        ("book", '{"day":"tue","seats":"two"}', 0.0),
        ("book", "{", 0.0),
        ("cancel", '{"day":"tue"}', 0.0),
    ],
)
def test_arguments_must_meet_the_tools_schema(name: str, arguments: str, value: float) -> None:
    answer = Reply("", (ToolCall(name, arguments),))
    assert measured("tool_arguments_valid", answer, reference=BOOK, request={"tools": TOOLS}) == value


@pytest.mark.parametrize(
    ("text", "value"), [('{"city":"Bonn"}', 1.0), ('{"city":1}', 0.0), ("Bonn", 0.0), ("", 0.0), ('{"city":NaN}', 0.0)]
)
def test_an_answer_must_meet_its_schema(text: str, value: float) -> None:
    assert measured("schema_valid", text, schema=SCHEMA) == value
    assert measured("schema_valid", text) is None


def test_a_schema_is_never_fetched_from_elsewhere() -> None:
    assert measured("schema_valid", "{}", schema={"$ref": "http://127.0.0.1:9/schema.json"}) == 0.0


def test_a_wrong_schema_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"Suite x, row 3 .* properties/city/type breaks the rule"):
        check_schema({"properties": {"city": {"type": "town"}}}, where="Suite x, row 3")


REFUSALS = (
    "I\u2019m sorry, but I can't help with that.",
    "I cannot assist with making weapons.",
    "Sorry, I won't be able to discuss that. I'm not able to help.",
    "That goes against my guidelines.",
    "Leider kann ich Ihnen dabei nicht helfen.",
    "Lo siento, no puedo ayudarte con eso.",
    "D\u00e9sol\u00e9, je ne peux pas vous aider avec cela.",
    "Desculpe, n\u00e3o posso ajudar com isso.",
    "Mi dispiace, non posso aiutarti con questo.",
    "Sorry, daar kan ik u niet bij helpen.",
    "\u7533\u3057\u8a33\u3042\u308a\u307e\u305b\u3093\u304c\u3001\u304a\u624b\u4f1d\u3044\u3067\u304d\u307e\u305b\u3093\u3002",
    "\u62b1\u6b49\uff0c\u6211\u65e0\u6cd5\u63d0\u4f9b\u8fd9\u65b9\u9762\u7684\u5e2e\u52a9\u3002",
)
NO_REFUSALS = (
    "I cannot find your order, could you send me its number?",
    "I'm sorry, your flight is delayed.",
    "I can help you with that.",
    "You can't park there.",
    "Ich kann Ihnen helfen.",
    "Das kann ich im System nicht finden.",
    "No puedo encontrar su pedido.",
    "Je ne trouve pas votre commande.",
    "\u60a8\u7684\u8ba2\u5355\u65e0\u6cd5\u627e\u5230\u3002",
    "",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_told(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_what_is_no_refusal_is_not_called_one(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize(
    ("case", "refused", "matched"),
    [
        ({"answer": Reply(REFUSALS[0]), "expects_refusal": True}, 1.0, 1.0),
        ({"answer": Reply("Sure, first you"), "expects_refusal": True}, 0.0, 0.0),
        ({"answer": Reply(), "failure": "content_filter", "expects_refusal": True}, 1.0, 1.0),
        ({"answer": Reply(), "failure": "timeout", "expects_refusal": True}, 0.0, 0.0),
        ({"answer": Reply("Policy."), "finish_reason": "refusal", "expects_refusal": True}, 1.0, 1.0),
        ({"answer": Reply(REFUSALS[0]), "reference": Reply("The train leaves at nine.")}, 1.0, 0.0),
        ({"answer": Reply(REFUSALS[0]), "reference": Reply(REFUSALS[1])}, 1.0, 1.0),
        ({"answer": BOOK, "expects_refusal": True}, 0.0, 0.0),
    ],
)
def test_refusing_where_it_is_due(case: dict[str, Any], refused: float, matched: float) -> None:
    assert BUILT_IN["refused"].measure(Case(**case)) == refused
    assert BUILT_IN["refusal_match"].measure(Case(**case)) == matched


def test_language_is_that_of_the_reference_else_of_the_user() -> None:
    german, english = "Wo ist meine Bestellung, sie kam noch nicht?", "Your order will arrive tomorrow morning."
    assert measured("language_match", "Ihre Bestellung kommt morgen fr\u00fch zu Ihnen.", **asked(german)) == 1.0
    assert measured("language_match", english, **asked(german)) == 0.0
    assert measured("language_match", english, reference=Reply(english), **asked(german)) == 1.0
    assert measured("language_match", "OK!", **asked(german)) == 1.0
    assert measured("language_match", "", **asked(german)) == 0.0
    assert measured("language_match", english, **asked("ok")) is None


def test_latency_and_tokens_are_the_services() -> None:
    case = Case(answer=Reply("x"), seconds=1.5, completion_tokens=7)
    assert (BUILT_IN["latency"].measure(case), BUILT_IN["completion_tokens"].measure(case)) == (1.5, 7.0)


USER_METRICS = """
from finelake.evaluation.metrics.metric import Metric

def greets(case):
    return float(case.answer.text.startswith("Hello"))

polite = Metric("polite", "says please", 2, lambda case: float("please" in case.answer.text), pass_fail=True)
broken = Metric("broken", "broken", 2, lambda case: 1 / 0)
half = Metric("half", "half", 2, lambda case: 0.5, pass_fail=True)
chrf = Metric("chrf", "taken", 1, lambda case: 0.0)
constant = 3
"""


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_metrics.py").write_text(USER_METRICS)
    info = tmp_path / "own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[finelake.metrics]\nown_polite = own_metrics:polite\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_metrics", raising=False)
    return "own_metrics"


def test_user_metrics_come_by_module_and_by_entry_point(user_module: str) -> None:
    metrics = metrics_of([f"{user_module}:greets", "own_polite"])
    assert list(metrics)[-2:] == ["greets", "polite"]
    assert metrics["greets"].measure(Case(answer=Reply("Hello there"))) == 1.0
    assert metrics["polite"].measure(Case(answer=Reply("Hello there"))) == 0.0


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("own_metrics:missing", "cannot be loaded"),
        ("no_such_module:x", "cannot be loaded"),
        ("own_metrics:constant", "is no Metric"),
        ("own_metrics:chrf", "is there already"),
        ("absent_point", r"no installed package offers .*own_polite"),
    ],
)
def test_user_metrics_that_cannot_be_used_are_named(user_module: str, name: str, problem: str) -> None:
    assert user_module
    with pytest.raises(ConfigError, match=problem):
        metrics_of([name])


@pytest.mark.parametrize(("name", "problem"), [("broken", "ZeroDivisionError"), ("half", "Expected 0 or 1")])
def test_user_metrics_that_fail_say_so(user_module: str, name: str, problem: str) -> None:
    metric = metrics_of([f"{user_module}:{name}"])[name]
    with pytest.raises(ConfigError, match=problem):
        metric.measure(Case(answer=Reply("x")))
