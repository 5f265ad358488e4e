"""Answers by retrieval: the nearest trained turn, its own kind, and nothing by magic."""

from __future__ import annotations

import pytest

from finelake.emulator.retrieval import ReplyIndex
from finelake.emulator.tokens import encoder

CALL = {"id": "c1", "type": "function", "function": {"name": "find_order", "arguments": '{"id": 7}'}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": '{"state": "shipped"}'}
OFFERED = frozenset({"find_order"})


def user(text):
    """Make a user message."""
    return {"role": "user", "content": text}


def assistant(text, **more):
    """Make an assistant message."""
    return {"role": "assistant", "content": text, **more}


EXAMPLES = [
    {
        "messages": [
            {"role": "system", "content": "warranty warranty warranty"},
            user("Where is order seven?"),
            assistant(None, tool_calls=[CALL]),
            RESULT,
            assistant("It is on its way."),
            user("Thank you!"),
            assistant("You are welcome."),
        ]
    },
    {"messages": [user("I need a receipt."), assistant("Not this one.", weight=0), user("Why?"), assistant("By law.")]},
    {"messages": [user("Tell me about the warranty."), assistant("Two years.")]},
    {
        "messages": [
            user("A blue bicycle, please."),
            assistant("Which size?"),
            user("Large"),
            assistant("Ordered in blue."),
        ]
    },
    {
        "messages": [
            user("A red bicycle, please."),
            assistant("Which size?"),
            user("Large"),
            assistant("Ordered in red."),
        ]
    },
]


@pytest.fixture(scope="module")
def index():
    """The index of the examples above."""
    return ReplyIndex(EXAMPLES, encoding=encoder())


@pytest.mark.parametrize(
    ("messages", "content"),
    [
        ([user("tell me about your WARRANTY")], "Two years."),
        ([user("Thank you very much")], "You are welcome."),
        ([user("A red bicycle, please."), assistant("Which size?"), user("Large")], "Ordered in red."),
        ([user("A blue bicycle, please."), assistant("Which size?"), user("Large")], "Ordered in blue."),
        ([{"role": "system", "content": "Where is order seven?"}, user("Large")], "Ordered in blue."),
    ],
)
def test_nearest_turn_answers(index, messages, content):
    assert index.nearest(messages, functions=frozenset()).content == content


def test_tool_call_is_returned_only_when_the_function_is_offered(index):
    asked = [user("Where is order nine?")]
    assert index.nearest(asked, functions=OFFERED).tool_calls == (CALL,)
    other = index.nearest(asked, functions=frozenset({"other"}))
    assert other is None or not other.tool_calls


def test_tool_result_is_answered_by_a_turn_after_a_tool_result(index):
    call = assistant(None, tool_calls=[CALL])
    asked = [user("Tell me about the warranty."), call, {**RESULT, "content": '{"state": "warranty"}'}]
    assert index.nearest(asked, functions=OFFERED).content == "It is on its way."


def test_turns_of_weight_zero_never_answer(index):
    found = index.nearest([user("I need a receipt.")], functions=frozenset())
    assert found is None or found.content != "Not this one."


def test_nothing_near_is_nothing(index):
    assert index.nearest([user("кукушка")], functions=frozenset()) is None
    assert ReplyIndex([], encoding=encoder()).nearest([user("Hello")], functions=frozenset()) is None
