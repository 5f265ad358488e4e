"""Answer from training examples: the reply of the trained assistant turn whose context is nearest.

A context is the messages before an assistant turn without the system prompt. Its vector holds the tokens of the last
message at full weight and those of the three messages before it at a third, times their inverse document frequency;
nearness is the cosine. A turn after a tool result is answered by turns after a tool result only, and the other way
round. Among equally near turns the first of the file is taken, so that answers are the same every time.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finelake.emulator.tokens import Encoder, text_of
from finelake.emulator.wire import Json

_EARLIER_MESSAGES = 3
_EARLIER_WEIGHT = 1.0 / 3.0
_LEAST_COSINE = 1e-6


@dataclass(frozen=True, slots=True)
class Reply:
    """A trained assistant turn: its text or its tool calls, and whether it follows a tool result."""

    content: str | None
    tool_calls: tuple[Json, ...]
    after_tool: bool

    @property
    def functions(self) -> frozenset[str]:
        """Return the names of the functions that are called."""
        return frozenset(str(call["function"]["name"]) for call in self.tool_calls)


class ReplyIndex:
    """Find the nearest reply; built once for each tuned model."""

    def __init__(self, examples: Iterable[Json], *, encoding: Encoder) -> None:
        self._encoding = encoding
        self._replies: list[Reply] = []
        places: defaultdict[int, array[int]] = defaultdict(lambda: array("i"))
        weights: defaultdict[int, array[float]] = defaultdict(lambda: array("f"))
        for context, reply in _trained_turns(examples):
            for token, weight in self._weights(context).items():
                places[token].append(len(self._replies))
                weights[token].append(weight)
            self._replies.append(reply)
        count = len(self._replies)
        self._rarity = {token: math.log(1.0 + count / len(found)) for token, found in places.items()}
        self._places = {token: np.frombuffer(found, np.int32) for token, found in places.items()}
        self._values = {
            token: np.frombuffer(found, np.float32).astype(np.float64) * self._rarity[token]
            for token, found in weights.items()
        }
        self._lengths = self._norms()
        self._after_tool = np.array([reply.after_tool for reply in self._replies], np.bool_)

    def nearest(self, messages: list[Json], *, functions: frozenset[str]) -> Reply | None:
        """Return the nearest reply that calls no function but those offered; None when nothing is near at all."""
        if not self._replies:
            return None
        scores = np.zeros(len(self._replies), np.float64)
        context = [message for message in messages if message["role"] not in ("system", "developer")]
        for token, weight in self._weights(context).items():
            if token in self._places:
                scores[self._places[token]] += self._values[token] * (weight * self._rarity[token])
        scores /= self._lengths
        after_tool = bool(context) and context[-1]["role"] == "tool"
        scores[self._after_tool != after_tool] = 0.0
        order: list[int] = np.argsort(-scores, kind="stable").tolist()
        for place in order:
            if scores[place] <= _LEAST_COSINE:
                return None
            if self._replies[place].functions <= functions:
                return self._replies[place]
        return None

    def _weights(self, context: list[Json]) -> dict[int, float]:
        weights: defaultdict[int, float] = defaultdict(float)
        for back, message in enumerate(reversed(context[-1 - _EARLIER_MESSAGES :])):
            share = 1.0 if back == 0 else _EARLIER_WEIGHT
            for token in self._encoding.encode_ordinary(_text(message)):
                weights[token] += share
        return {token: 1.0 + math.log(weight) if weight > 1.0 else weight for token, weight in weights.items()}

    def _norms(self) -> npt.NDArray[np.float64]:
        squares = np.zeros(len(self._replies), np.float64)
        for token, places in self._places.items():
            squares[places] += self._values[token] ** 2
        return np.sqrt(np.maximum(squares, 1e-12))


def _trained_turns(examples: Iterable[Json]) -> Iterator[tuple[list[Json], Reply]]:
    for example in examples:
        context: list[Json] = []
        for message in example["messages"]:
            if message["role"] in ("system", "developer"):
                continue
            if message["role"] == "assistant" and message.get("weight") != 0 and context:
                calls = tuple(message.get("tool_calls") or ())
                content = text_of(message.get("content")) or None
                yield context[-1 - _EARLIER_MESSAGES :], Reply(content, calls, context[-1]["role"] == "tool")
            context.append(message)


def _text(message: Json) -> str:
    called = [
        f" {call['function']['name']} {call['function']['arguments']}" for call in message.get("tool_calls") or []
    ]
    # The space makes the first word the same token as inside a sentence.
    return " " + text_of(message.get("content")).lower() + "".join(called)
