"""Tests of finelake.evaluation.replies."""

from __future__ import annotations

import pytest

from finelake.evaluation.replies import Reply, ToolCall, canonical_arguments, rendered, reply_from_message


def test_a_message_gives_its_text_and_calls() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "tea"}'}}],
    }
    assert reply_from_message(message) == Reply(text="", tool_calls=(ToolCall("find", '{"q": "tea"}'),))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "Hello"}, "Hello"),
        ({"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}, "Hello"),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "No."),
        ({"content": None, "refusal": "I cannot."}, "I cannot."),
        ({}, ""),
        ({"content": "bro\ud83dken"}, "bro?ken"),
    ],
)
def test_text_is_read_from_every_form_of_content(message: dict[str, object], text: str) -> None:
    assert reply_from_message(message).text == text


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ('{"a": 1, "b": [2.0]}', '{"b":[2],"a":1}'),
        ('{"name": "caf\\u00e9"}', '{"name": "café"}'),
    ],
)
def test_equal_arguments_have_one_form(left: str, right: str) -> None:
    assert canonical_arguments(left) == canonical_arguments(right) is not None


@pytest.mark.parametrize(
    ("left", "right"), [('{"a": 1}', '{"a": true}'), ('{"a": 1}', '{"a": "1"}'), ("[1,2]", "[2,1]")]
)
def test_different_arguments_have_different_forms(left: str, right: str) -> None:
    assert canonical_arguments(left) != canonical_arguments(right)


def test_arguments_that_are_not_json_have_no_form() -> None:
    assert canonical_arguments('{"a": ') is None


def test_rendering_puts_text_first_and_sorts_calls() -> None:
    reply = Reply("One moment.", (ToolCall("b", "{}"), ToolCall("a", '{"y": 1, "x": 2}')))
    assert rendered(reply) == 'One moment.\na {"x":2,"y":1}\nb {}'


def test_only_white_space_is_an_empty_reply() -> None:
    assert Reply(" \n").is_empty
    assert not Reply("", (ToolCall("a", "{}"),)).is_empty
