"""Every reason code of the steps order, text and structure: a case that passes, one that fails, one with nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from finelake.chat import read_line
from finelake.conversations.examples import build_example
from finelake.conversations.repair import repair, repair_conversation
from finelake.conversations.turns import RepairPolicy, TurnRow
from finelake.rules.registry import RULES

SECOND = 1_000_000
CALL = '[{"id":"c1","type":"function","function":{"name":"find","arguments":"{}"}}]'
BAD_CALL = '[{"id":"c1","type":"function","function":{"name":"find","arguments":"[1]"}}]'

CODES = {
    "turn_duplicate": "merge",
    "turn_order_ambiguous": "quarantine",
    "turn_index_missing": "quarantine",
    "turn_gap": "quarantine",
    "turn_clock_skew": "note",
    "too_many_turns": "quarantine",
    "text_invalid_unicode": "quarantine",
    "text_control_characters": "quarantine",
    "text_special_token": "quarantine",
    "author_unknown": "quarantine",
    "turn_empty": "trim",
    "turn_merged": "merge",
    "assistant_leading": "trim",
    "user_trailing": "trim",
    "tool_trailing": "trim",
    "system_prompt_repeated": "merge",
    "system_prompt_conflict": "quarantine",
    "tool_result_without_call": "quarantine",
    "tool_call_without_result": "quarantine",
    "tool_arguments_invalid": "quarantine",
    "user_missing": "quarantine",
    "assistant_missing": "quarantine",
    "reply_weight_0": "untrain",
    "messages_unreadable": "quarantine",
}


def row(role: str | None, text: str | None, **more: Any) -> TurnRow:
    turn: TurnRow = {"r": role, "x": text}
    turn.update(more)
    return turn


def talk(*turns: TurnRow) -> list[TurnRow]:
    """Number the turns that have no index yet."""
    return [{"i": n, **turn} for n, turn in enumerate(turns)]


U, A = row("user", "Where is my parcel?"), row("assistant", "It left Oslo today.")
S = row("system", "You help with parcels.")
ASK, GOT = row("assistant", None, c=CALL), row("tool", '{"at":"Oslo"}', d="c1")


@dataclass
class Case:
    code: str
    kind: str
    turns: Sequence[TurnRow]
    expected: list[str]
    policy: dict[str, Any] = field(default_factory=dict)


def case(code: str, kind: str, turns: Sequence[TurnRow], *expected: str, **policy: Any) -> Case:
    return Case(code, kind, turns, list(expected), policy)


CASES = [
    case("turn_duplicate", "pass", talk(U, A, U, A)),
    case("turn_duplicate", "fail", [*talk(U, A), {"i": 1, **A}], "turn_duplicate:merge"),
    case("turn_duplicate", "fail", [{"t": 1, **U}, {"t": 2, **A}, {"t": 2, **A}], "turn_duplicate:merge"),
    case("turn_duplicate", "missing", [U, A, A], "turn_order_ambiguous:quarantine"),
    case("turn_order_ambiguous", "pass", [{"t": 2, **A}, {"t": 1, **U}]),
    case("turn_order_ambiguous", "pass", [{"i": 1, "t": 2, **A}, {"i": 1, "t": 1, **U}]),
    case("turn_order_ambiguous", "fail", [{"i": 1, **A}, {"i": 1, **U}], "turn_order_ambiguous:quarantine"),
    case("turn_order_ambiguous", "fail", [{"t": 1, **A}, {"t": 1, **U}], "turn_order_ambiguous:quarantine"),
    case(
        "turn_order_ambiguous",
        "fail",
        [{"i": 2, "t": 1, **U}, {"i": 1, "t": 2, **A}, {"t": 3, **U}],
        "turn_order_ambiguous:quarantine",
    ),
    case("turn_order_ambiguous", "missing", [{"t": 1, **U}, A], "turn_order_ambiguous:quarantine"),
    case("turn_order_ambiguous", "missing", [U], "user_trailing:trim", "assistant_missing:quarantine"),
    case("turn_index_missing", "pass", talk(U, A)),
    case("turn_index_missing", "pass", [{"i": 0, "t": 1, **U}, {"t": 2, **A}]),
    case("turn_index_missing", "fail", [{"i": 0, "t": 1, **U}, A], "turn_index_missing:quarantine"),
    case("turn_index_missing", "missing", [{"i": None, **U}, {"i": 1, **A}], "turn_index_missing:quarantine"),
    case("turn_gap", "pass", [{"i": 7, **U}, {"i": 8, **A}]),
    case("turn_gap", "fail", [{"i": 0, **U}, {"i": 3, **A}], "turn_gap:quarantine"),
    case("turn_gap", "fail", [{"i": 0, **U}, {"i": 3, **A}], "turn_gap:keep", gaps="keep"),
    case(
        "turn_gap",
        "fail",
        [{"i": 0, **U}, {"i": 0, **U}, {"i": 2, **A}],
        "turn_duplicate:merge",
        "turn_gap:quarantine",
    ),
    case("turn_gap", "missing", [{"t": 1, **U}, {"i": 9, "t": 2, **A}]),
    case("turn_clock_skew", "pass", talk({"t": 5 * SECOND, **U}, {"t": 0, **A})),
    case("turn_clock_skew", "fail", talk({"t": 5 * SECOND + 1, **U}, {"t": 0, **A}), "turn_clock_skew:note"),
    case(
        "turn_clock_skew",
        "fail",
        talk({"t": 2 * SECOND, **U}, {"t": 0, **A}),
        "turn_clock_skew:quarantine",
        clock_skew="quarantine",
        clock_skew_tolerance_seconds=1.5,
    ),
    case("turn_clock_skew", "missing", talk({"t": 99 * SECOND, **U}, {"t": None, **A})),
    case("too_many_turns", "pass", talk(U, A, U, A), max_turns=4),
    case("too_many_turns", "pass", [*talk(U, A), {"i": 1, **A}], "turn_duplicate:merge", max_turns=2),
    case("too_many_turns", "fail", talk(U, A, U, A, U), "too_many_turns:quarantine", max_turns=4),
    case("too_many_turns", "missing", [], "user_missing:quarantine", "assistant_missing:quarantine", max_turns=1),
    case("text_invalid_unicode", "pass", talk(row("user", "\U0001f600 \ufffd"), A)),
    case("text_invalid_unicode", "fail", talk(row("user", "\ud83d"), A), "text_invalid_unicode:quarantine"),
    case("text_invalid_unicode", "fail", talk({"u": True, **U}, A), "text_invalid_unicode:quarantine"),
    case(
        "text_invalid_unicode",
        "fail",
        talk(U, row("assistant", "Found.", c='[{"name":"f","arguments":{"q":"\\ud83d"},"results":1}]')),
        "text_invalid_unicode:quarantine",
    ),
    case("text_invalid_unicode", "missing", talk(U, row("assistant", None), A), "turn_empty:trim"),
    case("text_control_characters", "pass", talk(row("user", "a\tb\r\nc\u2028d"), A)),
    case("text_control_characters", "fail", talk(row("user", "a\x00b"), A), "text_control_characters:quarantine"),
    case("text_control_characters", "fail", talk(row("user", "a\x85b"), A), "text_control_characters:quarantine"),
    case(
        "text_control_characters",
        "fail",
        talk(row("user", "a\x85b"), A),
        "text_control_characters:keep",
        control_characters="keep",
    ),
    case("text_control_characters", "missing", talk(U, row("assistant", None), A), "turn_empty:trim"),
    case("text_special_token", "pass", talk(row("user", "if a <| b or c |> d"), A)),
    case("text_special_token", "fail", talk(row("user", "what is <|endoftext|>?"), A), "text_special_token:quarantine"),
    case(
        "text_special_token",
        "fail",
        talk(row("user", "what is <|fim_prefix|>?"), A),
        "text_special_token:keep",
        special_tokens="keep",
    ),
    case("text_special_token", "missing", talk(U, row("assistant", None), A), "turn_empty:trim"),
    case("author_unknown", "pass", talk(S, U, ASK, GOT, A)),
    case("author_unknown", "fail", talk(U, row("supervisor", "Hm."), A), "author_unknown:quarantine"),
    case("author_unknown", "missing", talk(U, row(None, "Hm."), A), "author_unknown:quarantine"),
    case("turn_empty", "pass", talk(U, ASK, row("tool", None, d="c1"), A)),
    case("turn_empty", "fail", talk(U, row("assistant", " \n"), A), "turn_empty:trim"),
    case("turn_empty", "fail", talk(U, row("assistant", " \u200b \ufeff"), A), "turn_empty:trim"),
    case("turn_empty", "missing", talk(U, row("assistant", None), A), "turn_empty:trim"),
    case("turn_merged", "pass", talk(U, A, U, A)),
    case("turn_merged", "fail", talk(U, U, A), "turn_merged:merge"),
    case("turn_merged", "fail", talk(U, A, ASK, GOT, A), "turn_merged:merge"),
    case("turn_merged", "missing", talk(U, row("user", None), A), "turn_empty:trim"),
    case("assistant_leading", "pass", talk(S, U, A)),
    case("assistant_leading", "fail", talk(S, A, U, A), "assistant_leading:trim"),
    case("assistant_leading", "fail", talk(ASK, GOT, A, U, A), "assistant_leading:trim"),
    case("assistant_leading", "fail", talk(A, U, A), "assistant_leading:keep", assistant_leading="keep"),
    case("assistant_leading", "fail", talk(A, U, A), "assistant_leading:quarantine", assistant_leading="quarantine"),
    case("assistant_leading", "missing", talk(row("assistant", None), U, A), "turn_empty:trim"),
    case("user_trailing", "pass", talk(U, A)),
    case("user_trailing", "fail", talk(U, A, U, U), "user_trailing:trim"),
    case("user_trailing", "missing", talk(U, A, row("user", None)), "turn_empty:trim"),
    case("tool_trailing", "pass", talk(U, ASK, GOT, A)),
    case("tool_trailing", "fail", talk(U, A, ASK, GOT), "tool_trailing:trim"),
    case("tool_trailing", "fail", talk(U, A, U, ASK), "tool_trailing:trim", "user_trailing:trim"),
    case("tool_trailing", "missing", talk(U, A, row("assistant", None, c="[]")), "turn_empty:trim"),
    case("system_prompt_repeated", "pass", talk(S, U, A)),
    case("system_prompt_repeated", "fail", talk(S, S, U, A), "system_prompt_repeated:merge"),
    case("system_prompt_repeated", "fail", talk(S, U, A, S, U, A), "system_prompt_repeated:merge"),
    case("system_prompt_repeated", "missing", talk(S, row("system", None), U, A), "turn_empty:trim"),
    case("system_prompt_conflict", "pass", talk(S, row("system", "Be brief."), U, A), "turn_merged:merge"),
    case(
        "system_prompt_conflict", "fail", talk(S, U, row("system", "Be brief."), A), "system_prompt_conflict:quarantine"
    ),
    case("system_prompt_conflict", "fail", talk(U, S, A), "system_prompt_conflict:quarantine"),
    case("system_prompt_conflict", "missing", talk(S, U, row("system", None), A), "turn_empty:trim"),
    case("tool_result_without_call", "pass", talk(U, ASK, GOT, A)),
    case("tool_result_without_call", "fail", talk(U, GOT, A), "tool_result_without_call:quarantine"),
    case(
        "tool_result_without_call",
        "fail",
        talk(U, ASK, row("tool", "1", d="other"), A),
        "tool_result_without_call:quarantine",
        "tool_call_without_result:quarantine",
    ),
    case("tool_result_without_call", "fail", talk(U, ASK, GOT, GOT, A), "tool_result_without_call:quarantine"),
    case("tool_result_without_call", "missing", talk(U, ASK, row("tool", "1", d=None), A)),
    case("tool_call_without_result", "pass", talk(U, ASK, GOT, A)),
    case("tool_call_without_result", "fail", talk(U, ASK, A), "tool_call_without_result:quarantine"),
    case("tool_call_without_result", "fail", talk(U, ASK, U, A), "tool_call_without_result:quarantine"),
    case("tool_call_without_result", "missing", talk(U, row("assistant", "Wait.", c=None), U, A)),
    case("tool_arguments_invalid", "pass", talk(U, ASK, GOT, A)),
    case(
        "tool_arguments_invalid",
        "fail",
        talk(U, row("assistant", "Yes.", c=BAD_CALL)),
        "tool_arguments_invalid:quarantine",
    ),
    case("tool_arguments_invalid", "missing", talk(U, row("assistant", "Yes.", c="null"))),
    case("user_missing", "pass", talk(U, A)),
    case(
        "user_missing",
        "fail",
        talk(S, A),
        "assistant_leading:keep",
        "user_missing:quarantine",
        assistant_leading="keep",
    ),
    case(
        "user_missing",
        "missing",
        talk(row("user", None), A),
        "turn_empty:trim",
        "assistant_leading:trim",
        "user_missing:quarantine",
        "assistant_missing:quarantine",
    ),
    case("reply_weight_0", "pass", talk(U, {"w": 1, **A}, U, A)),
    case("reply_weight_0", "fail", talk(U, {"w": 0, **A}, U, A), "reply_weight_0:untrain"),
    case("reply_weight_0", "missing", talk(U, {"w": None, **A})),
    case("assistant_missing", "pass", talk(U, A)),
    case("assistant_missing", "fail", talk(U, U), "user_trailing:trim", "assistant_missing:quarantine"),
    case("assistant_missing", "fail", talk(U, {"w": 0, **A}), "assistant_missing:quarantine"),
    case(
        "assistant_missing",
        "missing",
        talk(U, row("assistant", None)),
        "turn_empty:trim",
        "user_trailing:trim",
        "assistant_missing:quarantine",
    ),
]

STORED = [
    ("pass", '[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."}]', []),
    ("fail", '[{"role":"user","content":{"image":1}}]', ["messages_unreadable"]),
    ("fail", "{", ["messages_unreadable"]),
    ("missing", None, ["messages_unreadable"]),
]


@pytest.mark.parametrize("item", CASES, ids=lambda item: f"{item.code}-{item.kind}")
def test_a_case_gets_exactly_these_decisions(item: Case) -> None:
    repaired = repair(item.turns, policy=RepairPolicy(**item.policy))
    found = [f"{decision.reason}:{decision.action}" for decision in repaired.decisions]
    assert found == item.expected
    assert bool(repaired.messages) == (not repaired.reasons)
    if repaired.messages:
        assert read_line(build_example(repaired).line)[1] == []


@pytest.mark.parametrize(("kind", "stored", "expected"), STORED)
def test_stored_messages_get_exactly_these_decisions(kind: str, stored: str | None, expected: list[str]) -> None:
    repaired = repair_conversation(stored)
    assert [decision.reason for decision in repaired.decisions] == expected, kind
    assert bool(repaired.messages) == (not expected)


def test_every_code_is_registered_with_its_action() -> None:
    steps = {"text", "structure"}
    assert {code: rule.action for code, rule in RULES.items() if code in CODES or rule.step in steps} == CODES
    assert all(rule.code == code and rule.summary.endswith(".") for code, rule in RULES.items() if code in CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_case_that_passes_fails_and_misses(code: str) -> None:
    if code == "messages_unreadable":
        assert {kind for kind, _, _ in STORED} == {"pass", "fail", "missing"}
        return
    kinds = {item.kind: item for item in CASES if item.code == code}
    assert kinds.keys() == {"pass", "fail", "missing"}
    given = [any(e.startswith(f"{code}:") for e in item.expected) for item in CASES if item.code == code]
    assert True in given
    assert all(
        any(e.startswith(f"{code}:") for e in item.expected) == (item.kind == "fail")
        for item in CASES
        if item.code == code and item.kind != "missing"
    )


def test_all_reasons_of_a_conversation_come_at_once() -> None:
    turns = [
        {"i": 0, **row(None, "a\x00")},
        {"i": 3, **row("assistant", "<|im_end|>", c="{")},
        {"i": 3, **row("user", "\ud800")},
    ]
    assert repair(turns).reasons == (
        "turn_order_ambiguous",
        "turn_gap",
        "text_invalid_unicode",
        "text_control_characters",
        "text_special_token",
        "author_unknown",
        "tool_arguments_invalid",
    )
