"""From one conversation to the examples that are published: one where it fits, else what the policy says."""

from __future__ import annotations

from dataclasses import dataclass

from finelake.chat import ASSISTANT
from finelake.conversations.examples import Example, window_of
from finelake.conversations.turns import Decision, Repaired, decision
from finelake.conversations.windows import (
    CONTEXT_DROPPED,
    CONVERSATION_WINDOWED,
    EXCHANGE_TOO_LONG,
    TURN_TOO_LONG,
    Layout,
    LongPolicy,
    Room,
    Span,
    last_window,
    lay_out,
    longest_turn_fits,
    windows,
)
from finelake.tokens.formula import ExampleTokens


@dataclass(frozen=True, slots=True)
class Kept:
    """What a policy keeps of a long conversation: tokens of its examples and replies trained."""

    tokens: int
    replies: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A long conversation as examples; without any, `decisions` say why. `window` and `last` compare the policies.

    `replies` are the trained ones of the whole conversation.
    """

    examples: list[Example]
    decisions: list[Decision]
    replies: int
    window: Kept
    last: Kept


def is_long(example: Example, tokens: ExampleTokens, room: Room) -> bool:
    """Say whether a conversation is more than one example may hold."""
    return tokens.total > room.tokens or len(example.messages) > room.messages


def cut_long(example: Example, repaired: Repaired, tokens: ExampleTokens, *, policy: LongPolicy, room: Room) -> Cut:
    """Cut a long conversation by the policy and mark the fates of the turns that no example holds.

    `drop` gives the whole conversation as one example, which the check of its length then refuses.
    """
    layout = lay_out(example.messages, tokens.per_message, tokens.total)
    spans = {"window": windows(layout, room), "keep_last": last_window(layout, room)}
    trained = {name: _with_training(example, found or []) for name, found in spans.items()}
    window, last = (_kept(example, layout, trained[name]) for name in ("window", "keep_last"))
    if policy == "drop":
        return Cut([example], [], replies(example), window, last)
    if spans[policy] is None:
        rule = EXCHANGE_TOO_LONG if longest_turn_fits(layout, room) else TURN_TOO_LONG
        return Cut([], [decision(rule, [], value=tokens.total, threshold=room.tokens)], replies(example), window, last)
    chosen = trained[policy]
    decisions = [*_dropped(example, repaired, layout, chosen)]
    if len(chosen) > 1:
        decisions.append(decision(CONVERSATION_WINDOWED, [], value=len(chosen), threshold=room.tokens))
    return Cut(
        [window_of(example, span, lead=layout.lead) for span in chosen], decisions, replies(example), window, last
    )


def replies(example: Example) -> int:
    """Count the assistant messages that are trained."""
    return sum(example.trained)


def _with_training(example: Example, spans: list[Span]) -> list[Span]:
    """Leave out the spans in which nothing fresh is trained, unless that is all of them."""
    return [span for span in spans if any(example.trained[span.fresh : span.end])] or spans[-1:]


def _kept(example: Example, layout: Layout, spans: list[Span]) -> Kept:
    tokens = sum(layout.size(span.start, span.end) for span in spans)
    return Kept(tokens, sum(sum(example.trained[span.fresh : span.end]) for span in spans))


def _dropped(example: Example, repaired: Repaired, layout: Layout, spans: list[Span]) -> list[Decision]:
    inside = set(range(layout.lead)).union(*(range(span.start, span.end) for span in spans))
    held = {position for n in inside for position in example.positions[n]}
    lost = sorted({position for own in example.positions for position in own} - held)
    if not lost:
        return []
    for position in lost:
        repaired.fates[position] = "trimmed"
    replies_lost = sum(message["role"] == ASSISTANT for n, message in enumerate(example.messages) if n not in inside)
    return [decision(CONTEXT_DROPPED, lost, value=replies_lost)]
