"""Pieces of a conversation: what becomes one chat message, and how a turn with calls and results becomes several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from finelake.chat import ASSISTANT, ROLES, TOOL, Message
from finelake.conversations.calls import Call
from finelake.conversations.text import is_blank
from finelake.conversations.turns import TurnRow


@dataclass(slots=True)
class Piece:
    """One message to be: `text` is "" for none, `call` the call that a tool result is known to answer."""

    role: str
    text: str
    positions: list[int]
    weight: int | None
    calls: list[Call] | None = None
    call: Call | None = None
    source_call_id: str | None = None
    name: str | None = None

    def join(self, other: Piece, separator: str) -> None:
        """Take in the following piece of the same role; a weight of 0 on either one holds for both."""
        if other.text:
            self.text = f"{self.text}{separator}{other.text}" if self.text else other.text
        if other.calls:
            self.calls = [*(self.calls or ()), *other.calls]
        self.positions = [*self.positions, *other.positions]
        if self.role == ASSISTANT:
            self.weight = _weaker(self.weight, other.weight)

    def as_message(self) -> Message:
        """Return the piece in the chat format, without its weight."""
        if self.calls:
            parts = [call.as_message_part() for call in self.calls]
            return {"role": self.role, "content": self.text or None, "tool_calls": parts}
        if self.role == TOOL:
            return {"role": TOOL, "tool_call_id": self.call.id if self.call else "", "content": self.text}
        return {"role": self.role, "content": self.text}


def expand(
    turns: Sequence[TurnRow], positions: Iterable[int], calls: Mapping[int, list[Call]]
) -> tuple[list[Piece], list[int]]:
    """Turn the rows into pieces; returns them and the positions of turns that are empty.

    A turn whose calls came with results becomes the calls, a tool message for each result, and its text as the
    reply. Turns without a known role are left out.
    """
    pieces: list[Piece] = []
    empty: list[int] = []
    for position in positions:
        turn = turns[position]
        role = turn.get("r")
        text = turn.get("x") or ""
        if role is None or role not in ROLES:
            continue
        found = calls.get(position)
        if found:
            pieces += _expand_calls(found, "" if is_blank(text) else text, position, turn.get("w"))
        elif role == TOOL:
            pieces.append(
                Piece(role, text, [position], None, source_call_id=turn.get("d") or None, name=turn.get("n") or None)
            )
        elif text and not is_blank(text):
            pieces.append(Piece(role, text, [position], turn.get("w") if role == ASSISTANT else None))
        else:
            empty.append(position)
    return pieces, empty


def _expand_calls(calls: list[Call], text: str, position: int, weight: int | None) -> list[Piece]:
    answered = [call for call in calls if call.result is not None]
    if not answered:
        return [Piece(ASSISTANT, text, [position], weight, calls=calls)]
    pieces = [Piece(ASSISTANT, "", [position], weight, calls=calls)]
    pieces += [Piece(TOOL, call.result or "", [position], None, call=call) for call in answered]
    if text:
        pieces.append(Piece(ASSISTANT, text, [position], weight))
    return pieces


def _weaker(one: int | None, other: int | None) -> int | None:
    if one == 0 or other == 0:
        return 0
    return other if one is None else one
