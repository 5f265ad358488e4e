"""Tests of finelake.evaluation.prompts: where an example is cut, and what is asked."""

from __future__ import annotations

import json

import pytest

from finelake.config.evaluation import Evaluation
from finelake.evaluation.prompts import Item, items_from_line, payload, payload_key
from finelake.evaluation.replies import Reply, ToolCall

SYSTEM = {"role": "system", "content": "Be brief."}
ASK = {"role": "user", "content": "Hello?"}
SAY = {"role": "assistant", "content": "Good day."}
MORE = {"role": "user", "content": "A table, please."}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "book", "arguments": '{"seats":2}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}
DONE = {"role": "assistant", "content": "Booked."}
TOOLS = [{"type": "function", "function": {"name": "book", "parameters": {"type": "object", "properties": {}}}}]


def cut_all(*messages: dict[str, object], **others: object) -> list[Item]:
    return items_from_line(json.dumps({"messages": messages, **others}), conversation_id="c1", group_key="g1")


def cut(*messages: dict[str, object], **others: object) -> Item:
    return cut_all(*messages, **others)[-1]


def test_the_prompt_is_everything_before_the_last_reply() -> None:
    item = cut(SYSTEM, ASK, SAY, MORE, CALL, RESULT, DONE, tools=TOOLS, parallel_tool_calls=False)
    assert item.request == {
        "messages": [SYSTEM, ASK, SAY, MORE, CALL, RESULT],
        "tools": TOOLS,
        "parallel_tool_calls": False,
    }
    assert item.reference == Reply("Booked.")


def test_the_last_tool_call_is_an_item_of_its_own() -> None:
    first, last = cut_all(SYSTEM, ASK, SAY, MORE, CALL, RESULT, DONE, tools=TOOLS)
    assert (first.message, last.message) == (4, 6)
    assert first.request == {"messages": [SYSTEM, ASK, SAY, MORE], "tools": TOOLS}
    assert first.reference.calls_tools


def test_a_call_that_is_not_trained_is_no_item() -> None:
    assert [item.message for item in cut_all(ASK, CALL | {"weight": 0}, RESULT, DONE | {"weight": 1})] == [3]


def test_a_tool_call_can_be_the_reference() -> None:
    item = cut(SYSTEM, ASK, SAY, MORE, CALL, tools=TOOLS)
    assert item.reference == Reply("", (ToolCall("book", '{"seats":2}'),))
    assert item.request["messages"] == [SYSTEM, ASK, SAY, MORE]


def test_the_last_trained_reply_counts_and_weights_are_not_sent() -> None:
    item = cut(SYSTEM, ASK, SAY | {"weight": 0}, MORE, DONE | {"weight": 1}, ASK, SAY | {"weight": 0})
    assert item.reference == Reply("Booked.")
    assert item.request["messages"] == [SYSTEM, ASK, SAY, MORE]


@pytest.mark.parametrize("messages", [[SYSTEM, ASK, SAY | {"weight": 0}], [SAY], [SYSTEM, ASK]])
def test_without_a_trained_reply_after_a_prompt_there_is_no_item(messages: list[dict[str, object]]) -> None:
    assert cut_all(*messages) == []


def test_an_empty_tool_list_is_not_sent() -> None:
    assert cut(ASK, SAY, tools=[]).request == {"messages": [ASK]}


def test_the_payload_holds_model_options_and_prompt() -> None:
    evaluation = Evaluation(max_tokens=99, temperature=0.5, seed=3)
    assert payload(cut(ASK, SAY), model="m", evaluation=evaluation) == {
        "model": "m",
        "max_tokens": 99,
        "temperature": 0.5,
        "seed": 3,
        "messages": [ASK],
    }


def test_models_that_reason_get_other_options() -> None:
    evaluation = Evaluation(length_parameter="max_completion_tokens", temperature=None)
    asked = payload(cut(ASK, SAY), model="m", evaluation=evaluation)
    assert "max_completion_tokens" in asked
    assert not {"max_tokens", "temperature"} & asked.keys()


def test_the_key_depends_on_content_and_not_on_order() -> None:
    asked = payload(cut(ASK, SAY), model="m", evaluation=Evaluation())
    assert payload_key(dict(reversed(asked.items()))) == payload_key(asked)
    assert payload_key(asked | {"model": "n"}) != payload_key(asked)
    assert payload_key(asked | {"max_tokens": 1}) != payload_key(asked)


def test_a_lone_surrogate_in_a_prompt_still_has_a_key() -> None:
    item = cut({"role": "user", "content": "\ud83d"}, SAY)
    assert len(payload_key(payload(item, model="m", evaluation=Evaluation()))) == 64
