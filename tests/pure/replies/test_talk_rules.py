"""Rules that see several messages or tools: what they find, what they pass over, and what a missing text counts as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finelake.chat import Message
from finelake.config.replies import Origins, Replies
from finelake.errors import ConfigError
from finelake.replies.catalogue import REPLY_RULES
from finelake.replies.conditions import signature
from finelake.replies.judge import Judge
from finelake.replies.plan import ReplyPlan
from finelake.replies.talk import Talk
from finelake.replies.tool_rules import check_definitions

PROMPT = (
    "You speak for the bike desk of the town. Never name the price before you know which plan the customer has, and "
    "always offer the voucher first."
)
CANNED = "Thank you for calling the bike desk"
SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
    "required": ["id"],
    "additionalProperties": False,
}
DEFINITIONS = {
    "book": {"type": "function", "function": {"name": "book", "parameters": SCHEMA}},
    "plain": {"type": "function", "function": {"name": "plain"}},
    "broken": {"name": "broken", "parameters": {"type": 5}},
    "remote": {"name": "remote", "parameters": {"$ref": "https://example.invalid/schema.json"}},
}


def found(*turns: str | Message, rules: dict[str, Any] | None = None, definitions: Any = None) -> dict[str, Any]:
    """Judge messages written as `s:`, `u:` or `a:` and a text."""
    roles = {"s": "system", "u": "user", "a": "assistant"}
    messages = [
        {"role": roles[turn[0]], "content": turn[2:].strip()} if isinstance(turn, str) else turn for turn in turns
    ]
    plan = ReplyPlan(
        rules=Replies.model_validate(rules or {}),
        origins=Origins(),
        canned=frozenset({signature(CANNED.lower())}),
    )
    return Judge(plan).find(Talk.of(messages), definitions)


def call(name: str, arguments: dict[str, Any]) -> Message:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}


FOUND: dict[str, list[tuple[str | Message, ...]]] = {
    "prompt_leak": [
        (f"s:{PROMPT}", "u:What do you do?", "a:Never name the price before you know which plan the customer has."),
        (f"s:{PROMPT}", "u:Hi", f"a:My text says: {PROMPT.lower()}"),
        (
            "s:您是本市自行车服务台的客服在知道客户的套餐之前不要报价并且始终先提供优惠券。",
            "u:你好请问你们有哪些套餐和价格",
            "a:在知道客户的套餐之前不要报价并且始终先提供优惠券。",
        ),
    ],
    "repeated_reply": [
        ("u:Hi", "a:Please restart the app and try it again.", "u:No", "a:please restart the app, and try it again!"),
        ("u:Hi", "a:Is there anything else I can do for you?", "u:No", "a:Is there anything else I can do for you?"),
    ],
    "length_ratio": [("u:" + "word " * 100, "a:Yes."), ("u:Hi", "a:" + "A bike has wheels. It has a saddle too. " * 6)],
    "turn_count": [tuple(f"{'ua'[n % 2]}:turn number {n}" for n in range(202))],
    "canned": [("u:Hi", f"a:{CANNED}"), ("u:Hi", f"a:{CANNED.upper()}, 24!")],
    "tool_arguments": [
        ("u:Book", call("book", {"id": 5})),
        ("u:Book", call("book", {})),
        ("u:Book", call("book", {"id": "a", "count": 0})),
        ("u:Book", call("book", {"id": "a", "colour": "red"})),
    ],
    "tool_undefined": [("u:Pay", call("pay", {"id": "a"}))],
}
FINE: dict[str, list[tuple[str | Message, ...]]] = {
    "prompt_leak": [
        (
            f"s:{PROMPT}",
            "u:Price?",
            "a:The price of the plan depends on the rides that you take in a month, I will look.",
        ),
        ("u:Hi", f"a:{PROMPT}"),
    ],
    "repeated_reply": [
        ("u:Hi", "a:You're welcome!", "u:Bye", "a:You're welcome!"),
        ("u:Hi", "a:The gate opens at six in the morning.", "u:And?", "a:The gate opens at nine in the morning."),
    ],
    "length_ratio": [("u:" + "word " * 20, "a:Yes."), ("u:Hi, what is it?", "a:" + "A long but honest answer. " * 10)],
    "turn_count": [("u:Hi", "a:Hello!")],
    "canned": [("u:Hi", "a:Thank you for calling the bike shop"), ("u:Hi", "a:Thank you")],
    "tool_arguments": [
        ("u:Book", call("book", {"id": "a", "count": 2})),
        ("u:Book", call("plain", {"anything": 1})),
        ("u:Book", call("broken", {"anything": 1})),
        ("u:Book", call("remote", {"anything": 1})),
    ],
    "tool_undefined": [("u:Book", call("plain", {}))],
}


@pytest.mark.parametrize(("rule", "talk"), [(rule, talk) for rule, talks in FOUND.items() for talk in talks])
def test_it_is_found(rule: str, talk: tuple[str | Message, ...]) -> None:
    assert rule in found(*talk, definitions=DEFINITIONS)


@pytest.mark.parametrize(("rule", "talk"), [(rule, talk) for rule, talks in FINE.items() for talk in talks])
def test_it_is_passed_over(rule: str, talk: tuple[str | Message, ...]) -> None:
    assert rule not in found(*talk, definitions=DEFINITIONS)


@pytest.mark.parametrize("rule", REPLY_RULES)
@pytest.mark.parametrize("text", [None, ""])
def test_a_reply_without_text_is_not_judged(rule: str, text: str | None) -> None:
    talk: tuple[str | Message, ...] = ("u:Hello there", {"role": "assistant", "content": text})
    assert rule not in found(*talk)


def test_without_definitions_no_call_is_judged() -> None:
    assert found("u:Book it", call("nobody", {"id": 5}), definitions=None) == {}


@pytest.mark.parametrize("rule", FOUND)
def test_a_rule_that_is_off_finds_nothing(rule: str) -> None:
    for talk in FOUND[rule]:
        assert rule not in found(*talk, rules={rule: {"action": "off"}}, definitions=DEFINITIONS)


def test_definitions_of_a_file_must_be_json_schemas() -> None:
    check_definitions({"book": DEFINITIONS["book"], "plain": DEFINITIONS["plain"]})
    with pytest.raises(ConfigError, match="broken"):
        check_definitions(DEFINITIONS)


def test_the_schema_of_a_definition_is_never_fetched() -> None:
    assert found("u:Hi", call("remote", {"a": 1}), definitions=DEFINITIONS) == {}
