"""What an assistant says in one turn: text, tool calls, or both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call: the tool's name and its arguments, the JSON text as the model wrote it."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An assistant turn. No text and no call is an empty reply."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.text.strip() and not self.tool_calls

    @property
    def calls_tools(self) -> bool:
        return bool(self.tool_calls)


def reply_from_message(message: Mapping[str, Any]) -> Reply:
    """Read an assistant message in chat form; text parts are joined, a refusal counts as text.

    Lone surrogates, which neither Delta nor HTTP can carry, become question marks.
    """
    text = _text(message.get("content")) or str(message.get("refusal") or "")
    calls = tuple(
        ToolCall(name=_storable(call["function"]["name"]), arguments=_storable(call["function"].get("arguments") or ""))
        for call in message.get("tool_calls") or ()
        if "function" in call
    )
    return Reply(text=_storable(text), tool_calls=calls)


def canonical_arguments(arguments: str) -> str | None:
    """Write tool arguments in one form: keys sorted, no spaces, 2.0 as 2. Give None when they are not JSON."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return None
    return json.dumps(_plain_numbers(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def rendered(reply: Reply) -> str:
    """Give the text that similarity is measured on: the text, then one line `name {arguments}` a call, sorted."""
    calls = sorted(f"{call.name} {canonical_arguments(call.arguments) or call.arguments}" for call in reply.tool_calls)
    return "\n".join(part for part in (reply.text, *calls) if part)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        return "".join(str(part.get("text") or part.get("refusal") or "") for part in parts)
    return ""


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain_numbers(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain_numbers(entry) for key, entry in value.items()}
    return value
