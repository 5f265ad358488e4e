"""Read the tool calls of a turn in the forms they come in, with results on the call or in turns of their own.

Accepted: OpenAI's array `[{id, type, function: {name, arguments}}]`, the bare array `[{id, name, arguments}]`, one
such object without the array, and a generic form with the field names of `ToolFields`, where a call may carry its
results. A result of null counts as no result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from finelake.chat import ASSISTANT, decode_json, encode_json, function_name_is_valid, is_json_object
from finelake.conversations.turns import Decision, ToolFields, TurnRow, decision
from finelake.rules.registry import Rule, register

TOOL_ARGUMENTS_INVALID = register(
    Rule(
        code="tool_arguments_invalid",
        step="structure",
        action="quarantine",
        summary="A tool call cannot be read: its arguments must be a JSON object and its name a function name.",
    )
)


@dataclass(slots=True)
class Call:
    """One tool call: arguments as JSON text of an object, the id the source gave, the result when it came with it."""

    name: str
    arguments: str
    source_id: str | None
    result: str | None
    id: str = ""

    def as_message_part(self) -> dict[str, Any]:
        """Return the call as the chat format has it."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(slots=True)
class ReadCalls:
    """The calls by position of their turn, and the decision on those that cannot be read."""

    calls: dict[int, list[Call]]
    decisions: list[Decision]

    def texts(self) -> dict[int, list[str]]:
        """Return ids, arguments and results by position of their turn."""
        return {
            position: [
                text for call in calls for text in (call.source_id, call.arguments, call.result) if text is not None
            ]
            for position, calls in self.calls.items()
        }


class _Unreadable(ValueError):
    """Raised inside this module with a code that says why a call cannot be read."""


def read_calls(turns: Sequence[TurnRow], positions: Iterable[int], *, fields: ToolFields) -> ReadCalls:
    """Read the calls of the turns at these positions and give each an id that is unique in the conversation.

    A call that came without an id gets `call_<turn>_<n>`: turn counts from 0 without copies, n from 1.
    """
    calls: dict[int, list[Call]] = {}
    failed: list[int] = []
    reasons: set[str] = set()
    ranks: list[int] = []
    for rank, position in enumerate(positions):
        turn = turns[position]
        text = turn.get("c")
        if not text:
            continue
        try:
            found = _parse(text, fields)
            if found and turn.get("r") not in (ASSISTANT, None):
                raise _Unreadable("not_an_assistant_turn")
        except _Unreadable as error:
            failed.append(position)
            reasons.add(str(error))
            continue
        if found:
            calls[position] = found
            ranks.append(rank)
    _give_ids(list(calls.values()), ranks)
    decisions = [decision(TOOL_ARGUMENTS_INVALID, failed, value=",".join(sorted(reasons)))] if failed else []
    return ReadCalls(calls, decisions)


def _parse(text: str, fields: ToolFields) -> list[Call]:
    try:
        value = decode_json(text)
    except ValueError:
        raise _Unreadable("not_json") from None
    entries = [value] if isinstance(value, dict) else [] if value is None else value
    if not isinstance(entries, list):
        raise _Unreadable("not_an_array")
    return [_parse_call(entry, fields) for entry in entries]


def _parse_call(entry: object, fields: ToolFields) -> Call:
    if not isinstance(entry, dict):
        raise _Unreadable("not_an_object")
    function = entry.get("function")
    if isinstance(function, dict):
        name, arguments, source_id = function.get("name"), function.get("arguments"), entry.get("id")
    else:
        name = entry.get(fields.name, entry.get("name"))
        arguments = entry.get(fields.arguments, entry.get("arguments"))
        source_id = entry.get(fields.id, entry.get("id"))
    if not isinstance(name, str) or not function_name_is_valid(name):
        raise _Unreadable("name_invalid")
    return Call(
        name=name,
        arguments=_arguments(arguments),
        source_id=None if source_id is None or source_id == "" else str(source_id),
        result=_result(entry.get(fields.results)),
    )


def _arguments(value: object) -> str:
    """Return the arguments as JSON text of an object: a text that is one already stays byte for byte."""
    if isinstance(value, str):
        if is_json_object(value):
            return value
        raise _Unreadable("arguments_not_an_object")
    if value is None:
        return "{}"
    if not isinstance(value, dict):
        raise _Unreadable("arguments_not_an_object")
    return _to_json(value)


def _result(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else _to_json(value)


def _to_json(value: object) -> str:
    try:
        return encode_json(value)
    except (ValueError, RecursionError):
        raise _Unreadable("not_json") from None


def _give_ids(calls: Sequence[list[Call]], ranks: Sequence[int]) -> None:
    taken = {call.source_id for group in calls for call in group if call.source_id is not None}
    used: set[str] = set()
    for rank, group in zip(ranks, calls, strict=True):
        for n, call in enumerate(group, start=1):
            source = call.source_id
            call.id = source if source is not None and source not in used else _free_id(f"call_{rank}_{n}", taken)
            used.add(call.id)


def _free_id(wanted: str, taken: set[str]) -> str:
    candidate = wanted
    suffix = 1
    while candidate in taken:
        suffix += 1
        candidate = f"{wanted}_{suffix}"
    taken.add(candidate)
    return candidate
