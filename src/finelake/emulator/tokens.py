"""Tokens of an example: the billed count, and the stream that the learner reads.

The count follows the published formulas (OpenAI cookbook, "How to count tokens with tiktoken"): 3 a message, the
tokens of every value, 1 more for a name, 3 for the reply, and the overhead of tool definitions.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from typing import Protocol

import toktok

from finelake.emulator.wire import Json

VOCABULARY = 200_019
END = VOCABULARY
_CALL = VOCABULARY + 1
_ARGUMENTS = VOCABULARY + 2
_ROLES = {
    role: VOCABULARY + 3 + place
    for place, role in enumerate(("system", "developer", "user", "assistant", "tool", "function"))
}
ALPHABET = VOCABULARY + 3 + len(_ROLES)


class Encoder(Protocol):
    """What the service needs of a tokenizer."""

    def encode_ordinary(self, text: str, /) -> list[int]:
        """Return the ids of a text, special tokens read as ordinary text."""
        ...

    def decode(self, ids: list[int], /) -> str:
        """Return the text of ids."""
        ...


def encoder(name: str = "o200k_base") -> Encoder:
    """Load a tokenizer that is compiled in; needs no network."""
    found: Encoder = toktok._encoding(name)
    return found


@dataclass(frozen=True, slots=True)
class Stream:
    """An example as token ids behind two END marks, and the half-open spans of positions that are trained."""

    ids: array[int]
    spans: tuple[tuple[int, int], ...]

    @property
    def trained(self) -> int:
        """Count the trained positions."""
        return sum(stop - start for start, stop in self.spans)


def text_of(content: object) -> str:
    """Join the text of a message's content, which is a string, a list of parts or null."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        return "".join(str(part.get("text") or part.get("refusal") or "") for part in parts)
    return ""


def stream(messages: list[Json], *, encoding: Encoder, limit: int) -> Stream:
    """Lay an example out for the learner, cut after `limit` tokens as the service does with long examples.

    Trained are the content, the tool calls and the end mark of assistant messages whose weight is not 0.
    """
    ids: list[int] = [END, END]
    spans: list[tuple[int, int]] = []
    for message in messages:
        ids.append(_ROLES[message["role"]])
        start = len(ids)
        ids += encoding.encode_ordinary(text_of(message.get("content")))
        for call in message.get("tool_calls") or []:
            function = call["function"]
            ids += [_CALL, *encoding.encode_ordinary(function["name"])]
            ids += [_ARGUMENTS, *encoding.encode_ordinary(function["arguments"])]
        ids.append(END)
        if message["role"] == "assistant" and message.get("weight") != 0:
            spans.append((start, len(ids)))
    room = limit + 2
    clipped = tuple((start, min(stop, room)) for start, stop in spans if start < room)
    return Stream(array("I", ids[:room]), clipped)


def count_messages(messages: list[Json], *, encoding: Encoder) -> int:
    """Count the tokens of a chat, with the overhead of messages and of the reply to come."""
    total = 3
    for message in messages:
        total += 3 + _size(text_of(message.get("content")), encoding) + _size(str(message.get("role", "")), encoding)
        total += count_calls(message.get("tool_calls"), encoding=encoding)
        total += _size(str(message.get("tool_call_id") or ""), encoding)
        if message.get("name"):
            total += 1 + _size(str(message["name"]), encoding)
    return total


def count_calls(calls: list[Json] | None, *, encoding: Encoder) -> int:
    """Count the tokens of tool calls: they are billed as their compact JSON."""
    return sum(_size(json.dumps(call, ensure_ascii=False, separators=(",", ":")), encoding) for call in calls or [])


def count_tools(tools: list[Json] | None, *, encoding: Encoder) -> int:
    """Count the tokens of tool definitions: 7 a function, 3 for properties and each of them, 12 for all."""
    if not tools:
        return 0
    return 12 + sum(_count_function(tool.get("function") or {}, encoding) for tool in tools)


def count_example(example: Json, *, encoding: Encoder) -> int:
    """Count the tokens of a training example."""
    counted = count_messages(example["messages"], encoding=encoding)
    return counted + count_tools(example.get("tools"), encoding=encoding)


def _count_function(function: Json, encoding: Encoder) -> int:
    total = 7 + _size(f"{function.get('name', '')}:{str(function.get('description') or '').rstrip('.')}", encoding)
    properties = (function.get("parameters") or {}).get("properties") or {}
    total += 3 if properties else 0
    for name, schema in properties.items():
        described = f"{name}:{schema.get('type', '')}:{str(schema.get('description') or '').rstrip('.')}"
        total += 3 + _size(described, encoding)
        choices = schema.get("enum") or []
        total += sum(3 + _size(str(choice), encoding) for choice in choices) - (3 if choices else 0)
    return total


def _size(text: str, encoding: Encoder) -> int:
    return len(encoding.encode_ordinary(text)) if text else 0
