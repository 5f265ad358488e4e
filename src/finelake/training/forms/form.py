"""What a method's lines must be, how their tokens count, and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from finelake.chat import Problem
from finelake.config.planning import Method
from finelake.tokens.formula import Example, ExampleTokens

Line = dict[str, Any]


class LineTokens(NamedTuple):
    """Tokens of one line: what an epoch bills at least and at most, what is learnt, the longest single example."""

    fewest: int
    most: int
    trained: int
    longest: int

    def plus(self, other: LineTokens) -> LineTokens:
        """Add what another line comes to; of the longest the longer counts."""
        return LineTokens(
            self.fewest + other.fewest,
            self.most + other.most,
            self.trained + other.trained,
            max(self.longest, other.longest),
        )


@dataclass(frozen=True, slots=True)
class LineForm:
    """The form of one method's lines.

    `read` gives a line's object (None when it is none) and its problems; `examples` the chats whose tokens count, in a
    fixed order, `tokens` what their counts come to under the model's limit of an example (None for no limit).
    """

    method: Method
    read: Callable[[bytes], tuple[Line | None, list[Problem]]]
    examples: Callable[[Line], list[Example]]
    tokens: Callable[[Sequence[ExampleTokens], int | None], LineTokens]


def texts_of(value: object) -> Iterator[str]:
    """Give every string inside a JSON value, addresses of pictures left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "image_url":
                yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


def pictures_of(value: object) -> Iterator[str]:
    """Give the address of every picture inside a JSON value."""
    if isinstance(value, Mapping):
        if value.get("type") == "image_url":
            held = value.get("image_url")
            yield str(held.get("url")) if isinstance(held, Mapping) else str(held)
            return
        for inner in value.values():
            yield from pictures_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from pictures_of(inner)
