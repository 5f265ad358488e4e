"""The chat format of one training example: one JSON object a line, `messages` first.

Schema: OpenAI's FineTuneChatRequestInput and Azure's guides to function calling and vision. Roles are system, user,
assistant and tool; a user's content may hold pictures; `weight` 0 or 1 on assistant messages; tool results follow the
message that called; the last message is the assistant's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from finelake.errors import InputError
from finelake.pictures import is_picture, picture_problem

Message = dict[str, Any]

SYSTEM = "system"
USER = "user"
ASSISTANT = "assistant"
TOOL = "tool"
ROLES = frozenset({SYSTEM, USER, ASSISTANT, TOOL})

LINE_KEYS = frozenset({"messages", "tools", "parallel_tool_calls"})
MESSAGE_KEYS = {
    SYSTEM: frozenset({"role", "content", "name"}),
    USER: frozenset({"role", "content", "name"}),
    ASSISTANT: frozenset({"role", "content", "name", "tool_calls", "weight"}),
    TOOL: frozenset({"role", "content", "tool_call_id"}),
}
_CALL_KEYS = frozenset({"id", "type", "function"})
_FUNCTION_KEYS = frozenset({"name", "arguments"})
_DEFINITION_KEYS = frozenset({"type", "function"})

function_name_is_valid = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line: a stable code and the place, as in `messages[3].tool_calls[0]`."""

    code: str
    place: str = ""


class ChatLineError(InputError):
    """Raised when a line is not a valid training example; `problems` holds all that was found."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def encode_json(value: object) -> str:
    """Encode as compact JSON with the characters as they are; raises ValueError on NaN, infinities and cycles."""
    return _encode(value)


def decode_json(text: str | bytes) -> Any:
    """Decode strict JSON; raises ValueError, also for NaN, infinities and nesting that is too deep."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        return _decode(text)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def to_line(messages: Sequence[Message], tools: Sequence[dict[str, Any]] = ()) -> str:
    """Build the JSONL line of one example, without the newline; `tools` is left out when empty."""
    return line_of(messages, encode_json(list(tools)) if tools else "")


def line_of(messages: Sequence[Message], tools_json: str) -> str:
    """Build the line from messages and a JSON array of tool definitions that is already text ("" for none).

    U+2028, U+2029 and U+0085 are written as escapes: readers that split lines on them would cut the object.
    """
    line = '{"messages":' + _encode(messages) + (f',"tools":{tools_json}' if tools_json else "") + "}"
    if line.isascii():
        return line
    return line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def parse_line(line: bytes | str) -> dict[str, Any]:
    """Read one line strictly and return its object; raises ChatLineError with every problem found."""
    value, problems = read_line(line)
    if problems or value is None:
        found = "; ".join(f"{item.code} at {item.place or 'the line'}" for item in problems)
        raise ChatLineError(
            f"The line is not a valid chat training example: {found}. Expected one JSON object with messages that "
            "end with the assistant's; build it again from the conversation.",
            problems,
        )
    return value


def read_line(line: bytes | str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Read one line; returns its object (None when it is no JSON object) and its problems, none for a valid one."""
    value, problems = read_object(line)
    return value, problems if value is None else list(_line_problems(value))


def read_object(line: bytes | str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Read a line of JSON Lines strictly; returns its object, or None and what is wrong."""
    try:
        text = line.decode("utf-8") if isinstance(line, bytes) else line
        text.encode("utf-8")
    except UnicodeError:
        return None, [Problem("line_not_utf8")]
    text = text.removesuffix("\n")
    if text.startswith("\ufeff"):
        return None, [Problem("line_with_bom")]
    if len(text.splitlines()) > 1:
        return None, [Problem("line_with_line_break")]
    try:
        value = decode_json(text)
    except ValueError:
        return None, [Problem("line_not_json")]
    if not isinstance(value, dict):
        return None, [Problem("line_not_object")]
    return value, []


def tool_problems(value: Mapping[str, Any], place: str = "") -> Iterator[Problem]:
    """Give what is wrong with the tool definitions beside messages; `place` is a prefix such as `input.`."""
    tools = value.get("tools", [])
    if not isinstance(tools, list):
        yield Problem("tools_not_array", f"{place}tools")
    else:
        for n, tool in enumerate(tools):
            if not _is_definition(tool):
                yield Problem("tool_definition_invalid", f"{place}tools[{n}]")
    if not isinstance(value.get("parallel_tool_calls", True), bool):
        yield Problem("parallel_tool_calls_not_boolean", f"{place}parallel_tool_calls")


def unknown_keys(value: Mapping[str, Any], allowed: Set[str], place: str = "") -> Iterator[Problem]:
    """Give a problem for each key that is not allowed."""
    for key in value.keys() - allowed:
        yield Problem("line_key_unknown", f"{place}{_safe(key)}")


def _line_problems(value: dict[str, Any]) -> Iterator[Problem]:
    yield from unknown_keys(value, LINE_KEYS)
    yield from tool_problems(value)
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        yield Problem("messages_missing", "messages")
        return
    if next(iter(value)) != "messages":
        yield Problem("messages_not_first", "messages")
    problems = [
        problem for n, message in enumerate(messages) for problem in message_problems(message, f"messages[{n}]")
    ]
    yield from problems
    if not problems:
        yield from sequence_problems(messages)


def message_problems(message: object, place: str) -> Iterator[Problem]:
    """Give what is wrong with one message in itself."""
    if not isinstance(message, dict):
        yield Problem("message_not_object", place)
        return
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        yield Problem("role_unknown", f"{place}.role")
        return
    for key in message.keys() - MESSAGE_KEYS[role]:
        yield Problem("message_key_unknown", f"{place}.{_safe(key)}")
    if not isinstance(message.get("name", ""), str):
        yield Problem("name_invalid", f"{place}.name")
    calls = message.get("tool_calls") if role == ASSISTANT else None
    content = message.get("content")
    if content is None:
        if not calls:
            yield Problem("content_missing", f"{place}.content")
    elif not isinstance(content, str):
        yield from _part_problems(content, f"{place}.content", role)
    if role == TOOL and not _is_name(message.get("tool_call_id")):
        yield Problem("tool_call_id_missing", f"{place}.tool_call_id")
    if "weight" in message and (type(message["weight"]) is not int or message["weight"] not in (0, 1)):
        yield Problem("weight_invalid", f"{place}.weight")
    if calls is not None or "tool_calls" in message:
        yield from _call_problems(place, calls)


def _call_problems(place: str, calls: object) -> Iterator[Problem]:
    if not isinstance(calls, list) or not calls:
        yield Problem("tool_calls_invalid", f"{place}.tool_calls")
        return
    ids: set[str] = set()
    for n, call in enumerate(calls):
        where = f"{place}.tool_calls[{n}]"
        if not _is_call(call):
            yield Problem("tool_call_invalid", where)
        elif not is_json_object(call["function"]["arguments"]):
            yield Problem("tool_arguments_invalid", f"{where}.function.arguments")
        elif call["id"] in ids:
            yield Problem("tool_call_id_repeated", f"{where}.id")
        else:
            ids.add(call["id"])


def sequence_problems(messages: Sequence[Message]) -> Iterator[Problem]:
    """Give what is wrong with the order of messages that are each in order."""
    roles = [message["role"] for message in messages]
    if USER not in roles:
        yield Problem("user_missing", "messages")
    if ASSISTANT not in roles:
        yield Problem("assistant_missing", "messages")
    if roles[-1] != ASSISTANT:
        yield Problem("last_not_assistant", f"messages[{len(roles) - 1}]")
    waiting: set[str] = set()
    for n, message in enumerate(messages):
        if message["role"] == TOOL:
            if message["tool_call_id"] not in waiting:
                yield Problem("tool_result_without_call", f"messages[{n}]")
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            yield Problem("tool_call_without_result", f"messages[{n}]")
        waiting = {call["id"] for call in message.get("tool_calls") or ()}


def is_json_object(text: str) -> bool:
    """Say whether a text is strict JSON of an object, as a call's arguments must be."""
    try:
        return isinstance(decode_json(text), dict)
    except ValueError:
        return False


def _is_call(call: object) -> bool:
    if not isinstance(call, dict) or call.keys() != _CALL_KEYS or call["type"] != "function":
        return False
    function = call["function"]
    if not isinstance(function, dict) or function.keys() != _FUNCTION_KEYS or not _is_name(call["id"]):
        return False
    name, arguments = function["name"], function["arguments"]
    return isinstance(name, str) and isinstance(arguments, str) and function_name_is_valid(name) is not None


def _is_definition(tool: object) -> bool:
    if not isinstance(tool, dict) or tool.keys() != _DEFINITION_KEYS or tool["type"] != "function":
        return False
    function = tool["function"]
    name = function.get("name") if isinstance(function, dict) else None
    return isinstance(name, str) and function_name_is_valid(name) is not None


def _part_problems(content: object, place: str, role: str) -> Iterator[Problem]:
    if not isinstance(content, list) or not content:
        yield Problem("content_invalid", place)
        return
    for n, part in enumerate(content):
        if is_picture(part):
            code = "picture_not_of_user" if role != USER else picture_problem(part)
            if code is not None:
                yield Problem(code, f"{place}[{n}]")
        elif not (isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)):
            yield Problem("content_invalid", place)
            return


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _safe(key: str) -> str:
    """Keep a foreign key out of messages unless it is a plain short word."""
    return key if function_name_is_valid(key) else "(unprintable key)"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode
