"""What a job learns from: streams of supervised examples, or pairs of a preferred and another answer.

The loss of a pair is that of direct preference optimization (Rafailov and others, 2023, equation 7):
-ln sigmoid(beta * (gain of the preferred answer - gain of the other one)), a gain being how much likelier the model
makes an answer than the model before the job did. Learning counts the preferred answers: there is no gradient here, so
the loss is a true measurement of a rehearsal, and says nothing about what a real job would reach.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from finelake.emulator.learner import NgramModel, Score
from finelake.emulator.pairfile import OTHER, PREFERRED, chat_with, is_pair
from finelake.emulator.tokens import Encoder, Stream, count_example, stream
from finelake.emulator.wire import Json

DEFAULT_BETA = 0.1


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to an input, and the nats that each costs the model before the job."""

    preferred: Stream
    other: Stream
    before: tuple[float, float]


Lesson = Stream | Pair


def lesson_of(example: Json, *, model: NgramModel, encoding: Encoder, limit: int) -> Lesson:
    """Lay an example out; `model` is the one before the job."""
    if not is_pair(example):
        return stream(example["messages"], encoding=encoding, limit=limit)
    preferred, other = (
        stream(chat_with(example, name)["messages"], encoding=encoding, limit=limit) for name in (PREFERRED, OTHER)
    )
    return Pair(preferred, other, (model.score([preferred]).nats, model.score([other]).nats))


def learn(model: NgramModel, lessons: Sequence[Lesson]) -> None:
    """Learn streams, and of pairs the preferred answer."""
    model.learn(lesson.preferred if isinstance(lesson, Pair) else lesson for lesson in lessons)


def score(model: NgramModel, lessons: Sequence[Lesson], *, beta: float) -> Score:
    """Score streams by token, and pairs by pair: right are those whose preferred answer gained more."""
    pairs = [lesson for lesson in lessons if isinstance(lesson, Pair)]
    if not pairs:
        return model.score(lesson for lesson in lessons if isinstance(lesson, Stream))
    margins = [beta * _margin(model, pair) for pair in pairs]
    return Score(sum(map(_loss, margins)), sum(margin > 0 for margin in margins), len(margins))


def billed_tokens(example: Json, *, encoding: Encoder, limit: int) -> int:
    """Count what an example is billed in an epoch; a pair costs both its chats."""
    chats = [chat_with(example, name) for name in (PREFERRED, OTHER)] if is_pair(example) else [example]
    return sum(min(limit, count_example(chat, encoding=encoding)) for chat in chats)


def _margin(model: NgramModel, pair: Pair) -> float:
    preferred, other = pair.before
    return (preferred - model.score([pair.preferred]).nats) - (other - model.score([pair.other]).nats)


def _loss(margin: float) -> float:
    return max(-margin, 0.0) + math.log1p(math.exp(-abs(margin)))
