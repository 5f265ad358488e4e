"""Messages of the chat format in the form that chat templates of open models expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finelake.chat import ASSISTANT, TOOL, Message, decode_json


def for_template(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Give messages as templates read them.

    Arguments of calls are objects instead of JSON text, content is text ("" where there is none, parts joined by line
    breaks), a tool's answer names its function, and weights are left out. Raises ValueError on pictures.
    """
    names: dict[str, str] = {}
    given = []
    for message in messages:
        plain = {key: value for key, value in message.items() if key != "weight"}
        plain["content"] = _text(message.get("content"))
        if calls := message.get("tool_calls"):
            plain["tool_calls"] = [_call(call) for call in calls]
            names |= {call["id"]: call["function"]["name"] for call in calls}
        if message["role"] == TOOL and "name" not in message and message.get("tool_call_id") in names:
            plain["name"] = names[message["tool_call_id"]]
        given.append(plain)
    return given


def is_trained(message: Mapping[str, Any]) -> bool:
    """Say whether a message is learnt: the assistant's, unless its weight is 0."""
    return message["role"] == ASSISTANT and message.get("weight") != 0


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function["arguments"]
    read = decode_json(arguments) if isinstance(arguments, str) else arguments
    return {**call, "function": {**function, "arguments": read}}


def _text(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    if not all(isinstance(part, dict) and part.get("type") == "text" for part in parts):
        raise ValueError("content holds more than text")
    return "\n".join(part["text"] for part in parts)
