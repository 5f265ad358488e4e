"""Stored conversations: OpenAI chat format and ShareGPT give the same turns as rows would."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finelake.conversations.layouts import read_conversation
from finelake.conversations.repair import repair_conversation

CHAT = [
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "Where "}, {"type": "text", "text": "is it?"}], "name": "bo"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "c7", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}],
    },
    {"role": "tool", "tool_call_id": "c7", "content": "Oslo"},
    {"role": "assistant", "content": "In Oslo.", "weight": 0},
    {"role": "user", "content": "And now?"},
    {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}},
    {"role": "function", "name": "find", "content": "Bergen"},
    {"role": "assistant", "content": "In Bergen.", "weight": 1},
]
SHAREGPT = {
    "system": "Be kind.",
    "conversations": [
        {"from": "human", "value": "Where is it?"},
        {"from": "function_call", "value": '{"name": "find", "arguments": {"a": 1}}'},
        {"from": "observation", "value": "Oslo"},
        {"from": "gpt", "value": "In Oslo."},
    ],
}


@pytest.mark.parametrize("stored", [CHAT, {"messages": CHAT, "tools": []}])
def test_openai_chat_is_read(stored: Any) -> None:
    repaired = repair_conversation(json.dumps(stored))
    assert [message["role"] for message in repaired.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert repaired.messages[1]["content"] == "Where is it?"
    assert repaired.messages[2]["tool_calls"][0]["id"] == repaired.messages[3]["tool_call_id"] == "c7"
    assert repaired.messages[6]["tool_calls"][0]["id"] == repaired.messages[7]["tool_call_id"] == "call_6_1"
    assert repaired.weights == [None, None, None, None, 0, None, None, None, 1]


def test_sharegpt_is_read() -> None:
    repaired = repair_conversation(json.dumps(SHAREGPT))
    assert [message["role"] for message in repaired.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert repaired.messages[2]["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"a":1}'}
    assert repaired.messages[3] == {"role": "tool", "tool_call_id": "call_2_1", "content": "Oslo"}


def test_an_unknown_role_is_left_to_the_structure_step() -> None:
    assert read_conversation('[{"from":"narrator","value":"x"}]').turns == [{"r": None, "x": "x", "i": 0}]
    assert repair_conversation('[{"role":"narrator","content":"x"}]').reasons == ("author_unknown",)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "null"),
        ("", "not_json"),
        ("[NaN]", "not_json"),
        ("[" * 100_000, "not_json"),
        ("7", "no_message_array"),
        ('{"turns":[]}', "no_message_array"),
        ("[]", "no_messages"),
        ('["hello"]', "message_not_an_object"),
        ('[{"text":"hello"}]', "message_without_role"),
        ('[{"role":"user","content":7}]', "content_not_text"),
        ('[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]', "content_part_not_text"),
        ('[{"role":"assistant","content":"x","weight":0.5}]', "weight_invalid"),
    ],
)
def test_what_cannot_be_read_says_why(value: str | None, why: str) -> None:
    read = read_conversation(value)
    assert (read.turns, [(decision.reason, decision.value) for decision in read.decisions]) == (
        [],
        [("messages_unreadable", why)],
    )
