"""The learner: an interpolated token n-gram model of orders 1 to 3, above a uniform floor.

Witten and Bell's method (1991; formula as in Chen and Goodman, 1998, §2.4): after a context that was seen c times
with t different followers, the next token w has probability (c(w) + t * p'(w)) / (c + t), p' being the same with a
context one token shorter, and the shortest of all the uniform distribution. The probabilities of all tokens sum to 1,
so that the mean of -ln p over tokens is a true cross-entropy in nats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from finelake.emulator.tokens import ALPHABET, Stream

_SHIFT = 18


@dataclass(frozen=True, slots=True)
class Score:
    """Totals over trained tokens; add scores to join batches."""

    nats: float = 0.0
    right: int = 0
    tokens: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.nats + other.nats, self.right + other.right, self.tokens + other.tokens)

    @property
    def loss(self) -> float | None:
        """Return the cross-entropy in nats a token; None when nothing was trained."""
        return self.nats / self.tokens if self.tokens else None

    @property
    def accuracy(self) -> float | None:
        """Return the share of tokens that were predicted."""
        return self.right / self.tokens if self.tokens else None


class _Followers:
    """What was seen after one context."""

    __slots__ = ("counts", "favourite", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.total = 0
        self.favourite = -1

    def add(self, token: int) -> None:
        """Count one more occurrence and keep the most frequent follower, the earlier one on a tie."""
        count = self.counts.get(token, 0) + 1
        self.counts[token] = count
        self.total += 1
        if self.favourite < 0 or count > self.counts[self.favourite]:
            self.favourite = token


class NgramModel:
    """Learn token counts and score what was not learned yet."""

    def __init__(self) -> None:
        self._any = _Followers()
        self._after_one: dict[int, _Followers] = {}
        self._after_two: dict[int, _Followers] = {}

    def probability(self, first: int, second: int, token: int) -> float:
        """Return the probability of a token after two others."""
        return _interpolate(self._contexts(first, second), token)

    def score(self, streams: Iterable[Stream]) -> Score:
        """Score the trained tokens of examples without learning from them.

        A token counts as predicted when it is the likeliest among the favourites of the three orders.
        """
        nats, right, tokens = 0.0, 0, 0
        for example in streams:
            ids = example.ids
            for start, stop in example.spans:
                for place in range(start, stop):
                    contexts = self._contexts(ids[place - 2], ids[place - 1])
                    chance = _interpolate(contexts, ids[place])
                    nats -= math.log(chance)
                    right += _is_predicted(contexts, ids[place], chance)
                    tokens += 1
        return Score(nats, right, tokens)

    def learn(self, streams: Iterable[Stream]) -> None:
        """Count the trained tokens of examples after their contexts; learning twice counts twice."""
        after_one, after_two = self._after_one, self._after_two
        for example in streams:
            ids = example.ids
            for start, stop in example.spans:
                for place in range(start, stop):
                    token, second = ids[place], ids[place - 1]
                    pair = (ids[place - 2] << _SHIFT) | second
                    self._any.add(token)
                    _followers(after_one, second).add(token)
                    _followers(after_two, pair).add(token)

    def _contexts(self, first: int, second: int) -> tuple[_Followers | None, ...]:
        return (self._any, self._after_one.get(second), self._after_two.get((first << _SHIFT) | second))


def _followers(table: dict[int, _Followers], context: int) -> _Followers:
    found = table.get(context)
    if found is None:
        found = table[context] = _Followers()
    return found


def _interpolate(contexts: tuple[_Followers | None, ...], token: int) -> float:
    chance = 1.0 / ALPHABET
    for seen in contexts:
        if seen is not None and seen.total:
            kinds = len(seen.counts)
            chance = (seen.counts.get(token, 0) + kinds * chance) / (seen.total + kinds)
    return chance


def _is_predicted(contexts: tuple[_Followers | None, ...], token: int, chance: float) -> bool:
    favourites = {seen.favourite for seen in contexts if seen is not None and seen.total}
    if token not in favourites:
        return False
    return all(other == token or _interpolate(contexts, other) <= chance for other in favourites)
