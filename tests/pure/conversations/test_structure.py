"""What merging, trimming and the tool rules make of turns: exact messages, positions and fates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finelake.conversations.repair import repair
from finelake.conversations.turns import Repaired, RepairPolicy, ToolFields, TurnRow


def fixed(*turns: TurnRow, **policy: Any) -> Repaired:
    rows: list[TurnRow] = [{"i": n, **turn} for n, turn in enumerate(turns)]
    return repair(rows, policy=RepairPolicy(**policy))


def roles(repaired: Repaired) -> list[tuple[str, str | None]]:
    return [(message["role"], message["content"]) for message in repaired.messages]


USER: TurnRow = {"r": "user", "x": "Any table for two?"}
REPLY: TurnRow = {"r": "assistant", "x": "Yes, at eight."}
TWO_CALLS = json.dumps(
    [
        {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{ "n":2 }'}},
        {"id": "b", "type": "function", "function": {"name": "book", "arguments": "{}"}},
    ]
)


def test_text_and_the_calls_after_it_become_one_message() -> None:
    repaired = fixed(
        USER,
        {"r": "assistant", "x": "Let me look."},
        {"r": "assistant", "x": None, "c": TWO_CALLS},
        {"r": "tool", "x": "late", "d": "b"},
        {"r": "tool", "x": "early", "d": "a"},
        REPLY,
    )
    message = repaired.messages[1]
    assert message["content"] == "Let me look."
    assert [call["id"] for call in message["tool_calls"]] == ["a", "b"]
    assert message["tool_calls"][0]["function"]["arguments"] == '{ "n":2 }'
    assert [(m["tool_call_id"], m["content"]) for m in repaired.messages[2:4]] == [("a", "early"), ("b", "late")]
    assert repaired.positions == [[0], [1, 2], [4], [3], [5]]
    assert repaired.fates == ["kept", "kept", "merged", "kept", "kept", "kept"]


def test_text_between_a_call_and_its_result_joins_the_call() -> None:
    call = '{"id":"a","name":"find","arguments":{}}'
    repaired = fixed(
        USER, {"r": "assistant", "c": call}, {"r": "assistant", "x": "One moment."}, {"r": "tool", "x": "1"}, REPLY
    )
    assert roles(repaired)[1:3] == [("assistant", "One moment."), ("tool", "1")]


def test_calls_in_a_row_become_parallel_calls() -> None:
    first, second = '[{"id":"a","name":"find"}]', '[{"id":"b","name":"book"}]'
    repaired = fixed(
        USER,
        {"r": "assistant", "c": first},
        {"r": "assistant", "c": second},
        {"r": "tool", "x": "1", "d": "a"},
        {"r": "tool", "x": "2", "d": "b"},
        REPLY,
    )
    assert [call["id"] for call in repaired.messages[1]["tool_calls"]] == ["a", "b"]


def test_a_call_with_its_results_on_the_turn_expands() -> None:
    calls = [
        {"method": "Find", "parameters": {"city": "Jose"}, "results": [{"n": 1}]},
        {"method": "Book", "parameters": '{"n": 1}', "results": "done"},
    ]
    repaired = fixed(
        USER,
        {"r": "assistant", "x": "Booked.", "c": json.dumps(calls), "w": 1},
        tool_fields=ToolFields(name="method", arguments="parameters"),
    )
    assert repaired.messages[1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1_1", "type": "function", "function": {"name": "Find", "arguments": '{"city":"Jose"}'}},
                {"id": "call_1_2", "type": "function", "function": {"name": "Book", "arguments": '{"n": 1}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1_1", "content": '[{"n":1}]'},
        {"role": "tool", "tool_call_id": "call_1_2", "content": "done"},
        {"role": "assistant", "content": "Booked."},
    ]
    assert repaired.positions == [[0], [1], [1], [1], [1]]
    assert repaired.counts.kept == 2


def test_a_generated_id_keeps_clear_of_ids_in_the_data() -> None:
    calls = (
        '[{"name":"f","results":1},{"id":"call_1_1","name":"f","results":2},{"id":"call_1_1","name":"f","results":3}]'
    )
    repaired = fixed(USER, {"r": "assistant", "x": "Done.", "c": calls})
    ids = [call["id"] for call in repaired.messages[1]["tool_calls"]]
    assert ids == ["call_1_1_2", "call_1_1", "call_1_3"]
    assert [message["content"] for message in repaired.messages[2:5]] == ["1", "2", "3"]


def test_results_without_an_id_answer_by_name_then_in_order() -> None:
    calls = '[{"name":"f"},{"name":"g"},{"name":"f"}]'
    repaired = fixed(
        USER,
        {"r": "assistant", "c": calls},
        {"r": "tool", "x": "of g", "n": "g"},
        {"r": "tool", "x": "first"},
        {"r": "tool", "x": "second", "n": "f"},
        REPLY,
    )
    assert [message["content"] for message in repaired.messages[2:5]] == ["first", "of g", "second"]


def test_a_call_at_the_end_does_not_take_the_reply_before_it_along() -> None:
    repaired = fixed(USER, REPLY, {"r": "assistant", "c": TWO_CALLS})
    assert roles(repaired) == [("user", "Any table for two?"), ("assistant", "Yes, at eight.")]
    assert repaired.fates == ["kept", "kept", "trimmed"]


def test_a_dropped_system_prompt_lets_its_neighbours_join() -> None:
    prompt: TurnRow = {"r": "system", "x": "Be kind."}
    repaired = fixed(prompt, USER, prompt, {"r": "user", "x": "Tonight."}, REPLY, merge_separator="\n\n")
    assert roles(repaired)[1] == ("user", "Any table for two?\n\nTonight.")
    assert repaired.fates == ["kept", "kept", "merged", "merged", "kept"]


@pytest.mark.parametrize(("one", "other", "both"), [(None, None, None), (1, None, 1), (1, 0, 0), (None, 0, 0)])
def test_a_weight_of_0_holds_for_the_merged_message(one: int | None, other: int | None, both: int | None) -> None:
    repaired = fixed(USER, {**REPLY, "w": one}, {**REPLY, "w": other}, USER, REPLY)
    assert repaired.weights[1] == both


@pytest.mark.parametrize(
    ("calls", "value"),
    [
        ("{", "not_json"),
        ("[" * 100_000, "not_json"),
        ('"find"', "not_an_array"),
        ('["find"]', "not_an_object"),
        ('[{"arguments":{}}]', "name_invalid"),
        ('[{"name":"find it"}]', "name_invalid"),
        ('[{"name":"f","arguments":"[]"}]', "arguments_not_an_object"),
        ('[{"name":"f","arguments":"{\\"a\\":NaN}"}]', "arguments_not_an_object"),
        ('[{"name":"f","arguments":""}]', "arguments_not_an_object"),
        ('[{"name":"f","arguments":3}]', "arguments_not_an_object"),
        ('[{"name":"f","arguments":{"a":1e999}}]', "not_json"),
    ],
)
def test_calls_that_cannot_be_read_say_why(calls: str, value: str) -> None:
    (decision,) = fixed(USER, {"r": "assistant", "x": "Yes.", "c": calls}).decisions
    assert (decision.reason, decision.turns, decision.value) == ("tool_arguments_invalid", [1], value)


def test_calls_on_a_user_turn_are_not_passed_over() -> None:
    (decision,) = fixed({**USER, "c": TWO_CALLS}, REPLY).decisions
    assert decision.value == "not_an_assistant_turn"


def test_a_very_long_turn_and_very_many_turns_are_handled() -> None:
    assert fixed({"r": "user", "x": "long " * 400_000}, REPLY).counts.kept == 2
    many = fixed(*[USER, REPLY] * 2500)
    assert many.reasons == ("too_many_turns",)
    assert many.counts.quarantined == many.counts.turns_in == 5000
