"""The strict reader of one JSONL line, and the writer that it reads back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finelake.chat import ChatLineError, parse_line, read_line, to_line
from finelake.errors import InputError

U: dict[str, Any] = {"role": "user", "content": "Hi"}
A: dict[str, Any] = {"role": "assistant", "content": "Hello."}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
ASK: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
GOT: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": ""}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def without(message: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != key}


def call(**changes: Any) -> dict[str, Any]:
    return {**ASK, "tool_calls": [{**CALL, **changes}]}


def function(**changes: Any) -> dict[str, Any]:
    return call(function={**CALL["function"], **changes})


VALID = [
    [U, A],
    [{"role": "system", "content": "Be kind."}, U, A],
    [U, {**A, "weight": 0}, U, {**A, "weight": 1}],
    [U, ASK, GOT, A],
    [U, without(ASK, "content"), GOT, A],
    [U, ASK],
    [U, {**A, "content": [{"type": "text", "text": "Hello."}]}],
    [A, U, A],
    [{**U, "name": "bo"}, A],
    [U, {**ASK, "tool_calls": [CALL, {**CALL, "id": "c2"}]}, {**GOT, "tool_call_id": "c2"}, GOT, A],
]


@pytest.mark.parametrize("messages", VALID)
def test_a_valid_line_comes_back(messages: list[dict[str, Any]]) -> None:
    line = to_line(messages, [TOOL])
    assert (
        parse_line(line)
        == parse_line(line.encode())
        == parse_line(line + "\n")
        == {
            "messages": messages,
            "tools": [TOOL],
        }
    )


INVALID = [
    ("role_unknown", "messages[1].role", [U, {"role": "bot", "content": "x"}, A]),
    ("role_unknown", "messages[0].role", [{"content": "x"}, A]),
    ("message_not_object", "messages[0]", ["Hi", A]),
    ("message_key_unknown", "messages[0].weight", [{**U, "weight": 1}, A]),
    ("message_key_unknown", "messages[1].(unprintable key)", [U, {**A, "secret text": 1}]),
    ("name_invalid", "messages[0].name", [{**U, "name": 3}, A]),
    ("content_missing", "messages[0].content", [without(U, "content"), A]),
    ("content_missing", "messages[1].content", [U, {**A, "content": None}]),
    ("content_invalid", "messages[1].content", [U, {**A, "content": 3}]),
    ("content_invalid", "messages[1].content", [U, {**A, "content": []}]),
    ("weight_invalid", "messages[1].weight", [U, {**A, "weight": 0.0}]),
    ("weight_invalid", "messages[1].weight", [U, {**A, "weight": True}]),
    ("weight_invalid", "messages[1].weight", [U, {**A, "weight": None}]),
    ("tool_calls_invalid", "messages[1].tool_calls", [U, {**A, "tool_calls": []}]),
    ("tool_calls_invalid", "messages[1].tool_calls", [U, {**A, "tool_calls": None}]),
    ("tool_call_invalid", "messages[1].tool_calls[0]", [U, call(type="tool"), GOT, A]),
    ("tool_call_invalid", "messages[1].tool_calls[0]", [U, call(id=""), GOT, A]),
    ("tool_call_invalid", "messages[1].tool_calls[0]", [U, call(id=None), GOT, A]),
    ("tool_call_invalid", "messages[1].tool_calls[0]", [U, function(name="a b"), GOT, A]),
    ("tool_call_invalid", "messages[1].tool_calls[0]", [U, function(name="a" * 65), GOT, A]),
    ("tool_call_invalid", "messages[1].tool_calls[0]", [U, function(arguments={}), GOT, A]),
    ("tool_arguments_invalid", "messages[1].tool_calls[0].function.arguments", [U, function(arguments="[]"), GOT, A]),
    ("tool_arguments_invalid", "messages[1].tool_calls[0].function.arguments", [U, function(arguments="{"), GOT, A]),
    ("tool_call_id_repeated", "messages[1].tool_calls[1].id", [U, {**ASK, "tool_calls": [CALL, CALL]}, GOT, A]),
    ("tool_call_id_missing", "messages[2].tool_call_id", [U, ASK, without(GOT, "tool_call_id"), A]),
    ("content_missing", "messages[2].content", [U, ASK, {**GOT, "content": None}, A]),
    ("tool_result_without_call", "messages[1]", [U, GOT, A]),
    ("tool_result_without_call", "messages[3]", [U, ASK, GOT, GOT, A]),
    ("tool_call_without_result", "messages[2]", [U, ASK, A]),
    ("user_missing", "messages", [A]),
    ("assistant_missing", "messages", [U]),
    ("last_not_assistant", "messages[2]", [U, A, U]),
]


@pytest.mark.parametrize(("code", "place", "messages"), INVALID)
def test_a_wrong_message_is_named_with_its_place(code: str, place: str, messages: list[Any]) -> None:
    _, problems = read_line(to_line(messages))
    assert (code, place) in [(problem.code, problem.place) for problem in problems]
    assert len(problems) == (2 if code == "assistant_missing" else 1)


WHOLE = [
    (b"\xff", "line_not_utf8"),
    ('{"messages":["\ud800"]}', "line_not_utf8"),
    (b"\xef\xbb\xbf{}", "line_with_bom"),
    ("", "line_not_json"),
    ("{", "line_not_json"),
    ('{"messages":NaN}', "line_not_json"),
    ("[" * 100_000, "line_not_json"),
    ("[]", "line_not_object"),
    ("{}\n{}", "line_with_line_break"),
    ('{"messages":[{"role":"user","content":"a\u2028b"}]}', "line_with_line_break"),
    ("{}", "messages_missing"),
    ('{"messages":[]}', "messages_missing"),
    (json.dumps({"tools": [TOOL], "messages": [U, A]}), "messages_not_first"),
    (json.dumps({"messages": [U, A], "prompt": ""}), "line_key_unknown"),
    (json.dumps({"messages": [U, A], "tools": {}}), "tools_not_array"),
    (json.dumps({"messages": [U, A], "tools": [{"name": "find"}]}), "tool_definition_invalid"),
    (json.dumps({"messages": [U, A], "tools": [{"type": "function", "function": {}}]}), "tool_definition_invalid"),
    (json.dumps({"messages": [U, A], "parallel_tool_calls": 1}), "parallel_tool_calls_not_boolean"),
]


@pytest.mark.parametrize(("line", "code"), WHOLE)
def test_a_wrong_line_is_named(line: bytes | str, code: str) -> None:
    assert [problem.code for problem in read_line(line)[1]] == [code]
    with pytest.raises(ChatLineError, match=code) as caught:
        parse_line(line)
    assert isinstance(caught.value, InputError)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_all_problems_come_at_once_and_show_no_text() -> None:
    line = to_line([{"role": "boss", "content": "private words"}, {**U, "content": 3}, {**A, "weight": 2}])
    with pytest.raises(ChatLineError) as caught:
        parse_line(line)
    assert [problem.code for problem in caught.value.problems] == ["role_unknown", "content_invalid", "weight_invalid"]
    assert "private" not in str(caught.value)


def test_a_line_is_one_line_for_every_reader() -> None:
    content = "a\u2028b\u2029c\x85d\ne\rf\x0bg\x1ch 你好"
    line = to_line([{**U, "content": content}, A])
    assert len(line.splitlines()) == 1
    assert "你好" in line
    assert parse_line(line)["messages"][0]["content"] == content
