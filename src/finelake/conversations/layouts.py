"""Read a conversation that is stored whole as one JSON text: OpenAI chat format or ShareGPT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finelake.chat import ASSISTANT, SYSTEM, TOOL, USER, decode_json, encode_json
from finelake.conversations.turns import Decision, TurnRow, decision
from finelake.rules.registry import Rule, register

MESSAGES_UNREADABLE = register(
    Rule(
        code="messages_unreadable",
        step="structure",
        action="quarantine",
        summary="The stored messages of a conversation are neither OpenAI chat format nor ShareGPT.",
    )
)

CHAT_ROLES: Mapping[str, str] = {
    "system": SYSTEM,
    "developer": SYSTEM,
    "user": USER,
    "assistant": ASSISTANT,
    "tool": TOOL,
    "function": TOOL,
}
SHAREGPT_ROLES: Mapping[str, str] = {
    "system": SYSTEM,
    "human": USER,
    "user": USER,
    "gpt": ASSISTANT,
    "assistant": ASSISTANT,
    "function_call": ASSISTANT,
    "tool": TOOL,
    "observation": TOOL,
    "function_response": TOOL,
}


@dataclass(slots=True)
class ReadConversation:
    """The turns of a stored conversation, or the decision that it cannot be read."""

    turns: list[TurnRow]
    decisions: list[Decision]


class _Unreadable(ValueError):
    """Raised inside this module with a code that says why the messages cannot be read."""


def read_conversation(value: str | None) -> ReadConversation:
    """Read the JSON text of a conversation into turns whose index is their position.

    Accepted: an array of messages, or an object with `messages` or `conversations` (and ShareGPT's `system`).
    OpenAI: content as string, null or text parts, `tool_calls`, the older `function_call` and role `function`.
    Roles that are in neither format become turns without a role, which the structure step reports.
    """
    try:
        return ReadConversation(_read(value), [])
    except _Unreadable as error:
        return ReadConversation([], [decision(MESSAGES_UNREADABLE, [], value=str(error))])


def _read(value: str | None) -> list[TurnRow]:
    if value is None:
        raise _Unreadable("null")
    try:
        stored = decode_json(value)
    except ValueError:
        raise _Unreadable("not_json") from None
    prompt = None
    if isinstance(stored, dict):
        prompt = stored.get("system")
        stored = stored.get("messages", stored.get("conversations"))
    if not isinstance(stored, list):
        raise _Unreadable("no_message_array")
    if not stored:
        raise _Unreadable("no_messages")
    turns = [_read_message(message) for message in stored]
    if isinstance(prompt, str) and prompt:
        turns.insert(0, {"r": SYSTEM, "x": prompt})
    for position, turn in enumerate(turns):
        turn["i"] = position
    return turns


def _read_message(message: object) -> TurnRow:
    if not isinstance(message, dict):
        raise _Unreadable("message_not_an_object")
    if "role" in message:
        return _read_chat(message)
    if "from" in message:
        return _read_sharegpt(message)
    raise _Unreadable("message_without_role")


def _read_chat(message: dict[str, Any]) -> TurnRow:
    turn: TurnRow = {"r": CHAT_ROLES.get(_text_or_empty(message["role"])), "x": _content(message.get("content"))}
    calls = message.get("tool_calls") or message.get("function_call")
    if calls:
        turn["c"] = _json(calls)
    if message.get("tool_call_id") is not None:
        turn["d"] = str(message["tool_call_id"])
    if isinstance(message.get("name"), str):
        turn["n"] = message["name"]
    weight = message.get("weight")
    if weight is not None:
        if weight not in (0, 1):
            raise _Unreadable("weight_invalid")
        turn["w"] = int(weight)
    return turn


def _read_sharegpt(message: dict[str, Any]) -> TurnRow:
    author = _text_or_empty(message["from"])
    value = message.get("value")
    if author == "function_call":
        return {"r": ASSISTANT, "x": None, "c": value if isinstance(value, str) else _json(value)}
    return {"r": SHAREGPT_ROLES.get(author), "x": _content(value)}


def _content(content: object) -> str | None:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _Unreadable("content_not_text")
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            raise _Unreadable("content_part_not_text")
        texts.append(text)
    return "".join(texts)


def _json(value: object) -> str:
    try:
        return encode_json(value)
    except (ValueError, RecursionError):
        raise _Unreadable("not_json") from None


def _text_or_empty(value: object) -> str:
    return value if isinstance(value, str) else ""
