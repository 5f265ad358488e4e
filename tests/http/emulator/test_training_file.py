"""What a training file may hold: each wrong line is an error that names its place."""

from __future__ import annotations

import json

import pytest

from finelake.emulator.chatfile import check_file, read_examples

USER = {"role": "user", "content": "Where is my helmet?"}
REPLY = {"role": "assistant", "content": "It comes tomorrow."}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
GOOD = {"messages": [USER, REPLY]}


def check(path, *lines):
    """Write lines, given as objects or bytes, and check them."""
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    (path / "file.jsonl").write_bytes(b"\n".join(raw) + b"\n")
    return check_file(path / "file.jsonl")


@pytest.mark.parametrize(
    "line",
    [
        GOOD,
        {
            "messages": [{"role": "system", "content": "Be kind."}, USER, REPLY],
            "tools": [],
            "parallel_tool_calls": False,
        },
        {"messages": [USER, {**REPLY, "weight": 0}, USER, {**REPLY, "weight": 1}]},
        {
            "messages": [
                USER,
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "x"},
                REPLY,
            ]
        },
        {"messages": [USER, {"role": "assistant", "content": [{"type": "text", "text": "Tomorrow."}]}]},
        {"messages": [{**USER, "name": "Ann"}, {"role": "assistant", "content": "a <|word|> b"}]},
        {"messages": [{"role": "user", "content": "\u2028 line \u0085 breaks"}, REPLY]},
    ],
)
def test_good_lines_pass(tmp_path, line):
    assert check(tmp_path, line, GOOD).problem is None
    assert read_examples(tmp_path / "file.jsonl") == [line, GOOD]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ([], "is not a dictionary"),
        (b"{", "is not valid JSON"),
        (b"\xff\xfe", "Line 2 is not valid UTF-8"),
        ({"messages": []}, "no messages"),
        ({**GOOD, "prompt": "x"}, "unrecognized keys: prompt"),
        ({"messages": ["x"]}, "message 0 is not a dictionary"),
        ({"messages": [{"role": "robot", "content": "x"}, REPLY]}, "unrecognized role"),
        ({"messages": [{**USER, "mood": "good"}, REPLY]}, "unrecognized keys: mood"),
        ({"messages": [{**USER, "weight": 1}, REPLY]}, "unrecognized keys: weight"),
        ({"messages": [USER, {**REPLY, "weight": 2}]}, "weight that is not 0 or 1"),
        ({"messages": [USER, {**REPLY, "weight": True}]}, "weight that is not 0 or 1"),
        ({"messages": [{"role": "user", "content": None}, REPLY]}, "message 0 has no content"),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, "message 1 has no content"),
        ({"messages": [{"role": "user", "content": 5}, REPLY]}, "neither a string nor a list"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}, REPLY]}, "an image without a url"),
        ({"messages": [{"role": "user", "content": [{"type": "sound"}]}, REPLY]}, "parts that are not text"),
        ({"messages": [USER]}, "at least one message from the assistant"),
        ({"messages": [REPLY]}, "at least one message from the user"),
        ({"messages": [USER, REPLY, USER]}, "last message from the assistant"),
        ({"messages": [USER, {"role": "tool", "content": "x"}, REPLY]}, "no tool_call_id"),
        ({"messages": [USER, {**REPLY, "tool_calls": [{}]}]}, "tool call without id"),
        ({"messages": [USER, {**REPLY, "tool_calls": []}]}, "not a non-empty list"),
        (
            {"messages": [USER, {**REPLY, "tool_calls": [{**CALL, "function": {"name": "a b", "arguments": "{}"}}]}]},
            "function name",
        ),
        (
            {"messages": [USER, {**REPLY, "tool_calls": [{**CALL, "function": {"name": "ab", "arguments": {}}}]}]},
            "arguments are not a JSON string",
        ),
        ({**GOOD, "tools": [{"type": "function"}]}, "tool without a function"),
        ({"messages": [{"role": "user", "content": "x<|endoftext|>"}, REPLY]}, "invalid token: <|endoftext|>"),
        (
            b'{"messages": [{"role": "user", "content": "\\ud800"}, {"role": "assistant", "content": "x"}]}',
            "not valid Unicode",
        ),
    ],
)
def test_bad_line_is_named(tmp_path, line, problem):
    verdict = check(tmp_path, GOOD, line, GOOD)
    assert problem in verdict.problem
    assert "2" in verdict.problem


def test_blank_lines_and_byte_order_mark_are_skipped(tmp_path):
    verdict = check(tmp_path, b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), b"", b"  ", GOOD)
    assert (verdict.examples, verdict.problem) == (2, None)


def test_file_without_lines_is_an_error(tmp_path):
    assert "No valid json line" in check(tmp_path, b"", b" ").problem
