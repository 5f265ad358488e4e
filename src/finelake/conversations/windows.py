"""Windows: a conversation that is longer than an example may be, cut at the borders of its exchanges.

An exchange begins with a user turn and ends with the reply to it; tool calls and their results lie inside, so no cut
parts them. Every window carries the leading system prompts and ends with a whole reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finelake.chat import ASSISTANT, SYSTEM, USER, Message
from finelake.rules.registry import Rule, register

LongPolicy = Literal["window", "keep_last", "drop"]

TURN_TOO_LONG = register(
    Rule(
        code="turn_too_long",
        step="windows",
        action="quarantine",
        summary="A single turn, with the system prompt and the tools, is longer than an example may be.",
        policy_key="max_per_example",
    )
)
EXCHANGE_TOO_LONG = register(
    Rule(
        code="exchange_too_long",
        step="windows",
        action="quarantine",
        summary="A user turn with its reply and the tool calls between them is longer than an example may be.",
        policy_key="max_per_example",
    )
)
CONTEXT_DROPPED = register(
    Rule(
        code="context_dropped",
        step="windows",
        action="trim",
        summary="The turns are in no example: the limit cut them off (keep_last), or nothing near them is trained.",
        policy_key="long",
    )
)
CONVERSATION_WINDOWED = register(
    Rule(
        code="conversation_windowed",
        step="windows",
        action="note",
        summary="The conversation became several examples; the value is how many, the threshold the limit in tokens.",
        policy_key="long",
    )
)


@dataclass(frozen=True, slots=True)
class Span:
    """A window over the messages [start, end); those before `fresh` are repeated as context and not trained again."""

    start: int
    fresh: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What an example may hold: tokens and messages, and the share of the tokens that repeated context may take."""

    tokens: int
    messages: int
    overlap: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A conversation as the cuts see it.

    `lead` leading system messages come with every window; exchange n holds messages [borders[n], borders[n + 1]).
    `fixed` tokens are the system prompts', the tools' and the reply priming's; `tokens` are each message's.
    """

    lead: int
    borders: list[int]
    fixed: int
    tokens: Sequence[int]

    def size(self, start: int, end: int) -> int:
        """Count the tokens of an example that holds the messages [start, end) behind the leading ones."""
        return self.fixed + sum(self.tokens[start:end])

    def fits(self, start: int, end: int, room: Room) -> bool:
        """Say whether such an example is within tokens and messages."""
        return self.size(start, end) <= room.tokens and self.lead + end - start <= room.messages


def lay_out(messages: Sequence[Message], tokens: Sequence[int], total: int) -> Layout:
    """Find the exchanges of a conversation that ends with a reply; `total` are the tokens of all of it as one example.

    Messages that have no user turn of their own (an assistant that leads, a second reply) belong to a neighbour.
    """
    lead = next((n for n, message in enumerate(messages) if message["role"] != SYSTEM), len(messages))
    borders, has_user = [lead], False
    for n in range(lead, len(messages)):
        role = messages[n]["role"]
        if role == USER and has_user and _is_reply(messages[n - 1]):
            borders.append(n)
        has_user = has_user or role == USER
    return Layout(lead, [*borders, len(messages)], total - sum(tokens[lead:]), tokens)


def windows(layout: Layout, room: Room) -> list[Span] | None:
    """Cut a conversation into windows in which every exchange is fresh exactly once; None where one does not fit."""
    borders, spans, done = layout.borders, [], 0
    while done < len(borders) - 1:
        start = _context(layout, room, done)
        while start < done and not layout.fits(borders[start], borders[done + 1], room):
            start += 1
        end = done
        while end < len(borders) - 1 and layout.fits(borders[start], borders[end + 1], room):
            end += 1
        if end == done:
            return None
        spans.append(Span(borders[start], borders[done], borders[end]))
        done = end
    return spans


def last_window(layout: Layout, room: Room) -> list[Span] | None:
    """Keep the last exchanges that fit into one example; None where the last one does not."""
    borders = layout.borders
    start = len(borders) - 1
    while start and layout.fits(borders[start - 1], borders[-1], room):
        start -= 1
    return [Span(borders[start], borders[start], borders[-1])] if start < len(borders) - 1 else None


def longest_turn_fits(layout: Layout, room: Room) -> bool:
    """Say whether each turn by itself would fit behind the system prompt and the tools."""
    return layout.fixed + max(layout.tokens[layout.lead :], default=0) <= room.tokens


def _context(layout: Layout, room: Room, done: int) -> int:
    """Choose the first exchange to repeat before exchange `done`: as many as the overlap's share has room for."""
    share, start = int(room.overlap * room.tokens), done
    while start and sum(layout.tokens[layout.borders[start - 1] : layout.borders[done]]) <= share:
        start -= 1
    return start


def _is_reply(message: Message) -> bool:
    return message["role"] == ASSISTANT and not message.get("tool_calls")
