"""Tokens of tool definitions, by the formula in section 7 of OpenAI's How_to_count_tokens_with_tiktoken."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from finelake.config.models import TokenOverhead

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)


class ToolTexts(NamedTuple):
    """What one list of definitions costs: `texts` to count, and `fixed` tokens beside them."""

    texts: list[str]
    fixed: int


class ToolCounts:
    """Counts of the definition lists seen in this process, by their JSON text; the oldest is dropped at `limit`.

    One object belongs to one encoding and one overhead.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._counts: OrderedDict[str, int] = OrderedDict()

    def get(self, key: str) -> int | None:
        """Return a known count and mark it as used."""
        if key in self._counts:
            self._counts.move_to_end(key)
        return self._counts.get(key)

    def put(self, key: str, tokens: int) -> None:
        """Keep a count."""
        self._counts[key] = tokens
        if len(self._counts) > self._limit:
            self._counts.popitem(last=False)

    def __len__(self) -> int:
        return len(self._counts)


def compact_json(value: Any) -> str:
    """Write a value as JSON without spaces and escapes, as a JSONL line has it."""
    return _ENCODER.encode(value)


def tool_texts(tools: Sequence[Any], overhead: TokenOverhead) -> ToolTexts:
    """List the texts of tool definitions in OpenAI's form and the tokens that the format adds.

    Only top-level properties count, as in the formula. A missing name, type or description counts as empty text;
    a type that is a list is joined by `|`, an item of an enum that is no string counts as its JSON text.
    """
    texts: list[str] = []
    fixed = 0
    for tool in tools:
        function = _mapping(_mapping(tool).get("function"))
        fixed += overhead.function_start
        texts.append(f"{_text(function.get('name'))}:{_sentence(function.get('description'))}")
        properties = _mapping(_mapping(function.get("parameters")).get("properties"))
        if properties:
            fixed += overhead.properties_start
        for name, value in properties.items():
            definition = _mapping(value)
            fixed += overhead.property_key
            enum = definition.get("enum")
            if isinstance(enum, list):
                fixed += overhead.enum_start + overhead.enum_item * len(enum)
                texts.extend(_text(item) for item in enum)
            texts.append(f"{name}:{_type(definition.get('type'))}:{_sentence(definition.get('description'))}")
    return ToolTexts(texts, fixed + overhead.functions_end if tools else 0)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else compact_json(value)


def _sentence(value: Any) -> str:
    return _text(value).removesuffix(".")


def _type(value: Any) -> str:
    return "|".join(_text(item) for item in value) if isinstance(value, list) else _text(value)
