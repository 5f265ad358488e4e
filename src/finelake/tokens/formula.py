"""From chat examples to token counts: list the texts of many examples, count them in one call, fold the counts back.

Formula (OpenAI cookbook, How_to_count_tokens_with_tiktoken, sections 6 and 7): a message costs 3 tokens and the
tokens of each of its values, one more where it has a name; an example costs its messages, 3 tokens that prime
the reply, and its tool definitions. The cookbook's loop only knows string values; here

- `weight` is an instruction to the trainer and costs nothing,
- `content` in parts costs its text and refusal parts, each counted by itself (images are not counted),
- `tool_calls` and `function_call` cost their compact JSON text, as it is written in the JSONL line: ids and
  braces count, so the figure is on the safe side of a limit,
- any other value that is no string costs its compact JSON text, and null nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from finelake.config.models import TokenOverhead
from finelake.tokens.tools import ToolCounts, compact_json, tool_texts

Example = Mapping[str, Any]

_TRAINED_KEYS = frozenset({"content", "refusal", "tool_calls", "function_call"})
_REPEATING_KEYS = frozenset({"role", "name", "tool_call_id"})


class ExampleTokens(NamedTuple):
    """Tokens of one example.

    `per_message` includes the overhead of each message; `total` is their sum, the reply priming and `tools`.
    `assistant` counts content and calls of all assistant messages without overhead (the cookbook's assistant
    tokens), `trained` those whose weight is not 0.
    """

    per_message: tuple[int, ...]
    tools: int
    total: int
    assistant: int
    trained: int


class CountPlan:
    """The texts of a batch of examples, and how their counts become tokens of messages and examples.

    Flat lists instead of an object a message: a batch holds hundreds of thousands of them. Each message has one main
    text at its own position (its content, else empty); further texts follow behind, repeating ones only once.
    """

    def __init__(self, overhead: TokenOverhead, tool_counts: ToolCounts) -> None:
        """Start an empty plan; `tool_counts` gives and takes the counts of definition lists."""
        self._overhead = overhead
        self._tool_counts = tool_counts
        self._contents: list[str] = []
        self._further: list[str] = []
        self._repeating: dict[str, int] = {}
        self._roles: list[int] = []
        self._said: list[tuple[int, int]] = []
        self._framing: list[tuple[int, int]] = []
        self._named: list[int] = []
        self._assistant: list[int] = []
        self._untrained: list[int] = []
        self._ends: list[int] = []
        self._keys: list[str | None] = []
        self._key_of: dict[int, tuple[Sequence[Any], str]] = {}
        self._known_tools: dict[str, int] = {}
        self._new_tools: dict[str, tuple[int, int, int]] = {}

    @property
    def texts(self) -> list[str]:
        """All texts to count, in the order in which `fold` expects their counts."""
        return self._contents + self._further

    def add(self, example: Example) -> None:
        """Plan one example: a mapping with `messages` and, as they occur, `tools` or the older `functions`."""
        contents, roles, index_of = self._contents, self._roles, self._repeating
        for message in example["messages"]:
            role, content = message.get("role"), message.get("content")
            plain = type(content) is str
            if role == "assistant":
                self._assistant.append(len(contents))
                if message.get("weight") == 0:
                    self._untrained.append(len(contents))
            if not plain or len(message) > 2:
                self._add_values(len(contents), message)
            contents.append(content if plain else "")
            roles.append(index_of[role] if role in index_of else self._repeated(_text(role)))
        self._ends.append(len(contents))
        self._keys.append(self._add_tools(example))

    def fold(self, counts: Sequence[int]) -> list[ExampleTokens]:
        """Turn the counts of `texts` into one result an example, in order; raises ValueError on a wrong number."""
        split = len(self._contents)
        if len(counts) != split + len(self._further):
            raise ValueError(f"got {len(counts)} counts for {split + len(self._further)} texts of a count plan")
        said, further = list(counts[:split]), counts[split:]
        for message, text in self._said:
            said[message] += further[text]
        per_message = self._framed(said, further)
        assistant = [0] * split
        for message in self._assistant:
            assistant[message] = said[message]
        trained = assistant.copy()
        for message in self._untrained:
            trained[message] = 0
        return self._results(per_message, assistant, trained, self._fold_tools(further))

    def _framed(self, said: Sequence[int], further: Sequence[int]) -> list[int]:
        frame = self._overhead.tokens_per_message
        per_message = [count + further[role] + frame for count, role in zip(said, self._roles, strict=True)]
        for message, text in self._framing:
            per_message[message] += further[text]
        for message in self._named:
            per_message[message] += self._overhead.tokens_per_name
        return per_message

    def _results(
        self, per_message: list[int], assistant: list[int], trained: list[int], tools: Mapping[str, int]
    ) -> list[ExampleTokens]:
        totals, spoken, learnt = ([0, *accumulate(column)] for column in (per_message, assistant, trained))
        priming = self._overhead.reply_priming
        results, start = [], 0
        for end, key in zip(self._ends, self._keys, strict=True):
            of_tools = 0 if key is None else tools[key]
            total = totals[end] - totals[start] + priming + of_tools
            parts = (tuple(per_message[start:end]), of_tools, total, spoken[end] - spoken[start])
            results.append(ExampleTokens(*parts, learnt[end] - learnt[start]))
            start = end
        return results

    def _add_values(self, position: int, message: Mapping[str, Any]) -> None:
        """Plan what a message holds beside its role and a plain content."""
        for key, value in message.items():
            if value is None or key in ("role", "weight") or (key == "content" and isinstance(value, str)):
                continue
            if key == "name":
                self._named.append(position)
            kind = self._said if key in _TRAINED_KEYS else self._framing
            if key == "content" and isinstance(value, list):
                kind.extend((position, self._appended(text)) for text in _part_texts(value))
            elif key in _REPEATING_KEYS:
                kind.append((position, self._repeated(_text(value))))
            else:
                kind.append((position, self._appended(_text(value))))

    def _add_tools(self, example: Example) -> str | None:
        """Plan the definitions of an example unless their count is known; give their key, None without any."""
        tools = example.get("tools") or [{"function": function} for function in example.get("functions") or ()]
        if not tools:
            return None
        # Examples of a batch mostly share one list object; the entry keeps it alive, so that no other takes its id.
        if id(tools) in self._key_of:
            return self._key_of[id(tools)][1]
        key = compact_json(tools)
        self._key_of[id(tools)] = (tools, key)
        if key in self._known_tools or key in self._new_tools:
            return key
        known = self._tool_counts.get(key)
        if known is not None:
            self._known_tools[key] = known
            return key
        texts, fixed = tool_texts(tools, self._overhead)
        self._new_tools[key] = (len(self._further), len(texts), fixed)
        self._further.extend(texts)
        return key

    def _fold_tools(self, further: Sequence[int]) -> dict[str, int]:
        tools = dict(self._known_tools)
        for key, (start, length, fixed) in self._new_tools.items():
            tools[key] = fixed + sum(further[start : start + length])
            self._tool_counts.put(key, tools[key])
        return tools

    def _repeated(self, text: str) -> int:
        index = self._repeating.get(text)
        if index is None:
            index = self._repeating[text] = self._appended(text)
        return index

    def _appended(self, text: str) -> int:
        self._further.append(text)
        return len(self._further) - 1


def plan_counts(
    examples: Iterable[Example], *, overhead: TokenOverhead, tool_counts: ToolCounts | None = None
) -> CountPlan:
    """Plan the counting of many examples; count `plan.texts` in one call and give the result to `plan.fold`."""
    plan = CountPlan(overhead, ToolCounts() if tool_counts is None else tool_counts)
    for example in examples:
        plan.add(example)
    return plan


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else compact_json(value)


def _part_texts(parts: Sequence[Any]) -> list[str]:
    found = [part.get("text") or part.get("refusal") if isinstance(part, Mapping) else part for part in parts]
    return [text for text in found if isinstance(text, str)]
