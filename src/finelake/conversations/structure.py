"""Make ordered turns a conversation that can be trained on: merge, trim, pair tool calls with results, or refuse.

The rules run in this order: unknown authors, empty turns, system prompts, what leads and trails the conversation,
consecutive turns of one role, tool calls and results, and last whether a user and a trained reply are left. Trimming
comes before merging, so that a call at the end that got no result does not take the reply before it along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finelake.chat import ASSISTANT, ROLES, SYSTEM, TOOL, USER, Message
from finelake.conversations.calls import Call
from finelake.conversations.order import Ordered
from finelake.conversations.pairing import pair
from finelake.conversations.pieces import Piece, expand
from finelake.conversations.turns import Decision, Fate, RepairPolicy, decision
from finelake.rules.registry import Rule, register

AUTHOR_UNKNOWN = register(
    Rule(
        code="author_unknown",
        step="structure",
        action="quarantine",
        summary="The author of a turn is missing or is in no role of the role map.",
    )
)
TURN_EMPTY = register(
    Rule(
        code="turn_empty",
        step="structure",
        action="trim",
        summary="A turn has neither visible text nor tool calls; tool results may be empty.",
    )
)
SYSTEM_PROMPT_REPEATED = register(
    Rule(
        code="system_prompt_repeated",
        step="structure",
        action="merge",
        summary="The same system prompt comes again; the copy is dropped.",
    )
)
SYSTEM_PROMPT_CONFLICT = register(
    Rule(
        code="system_prompt_conflict",
        step="structure",
        action="quarantine",
        summary="A different system prompt comes after the conversation has begun.",
    )
)
TURN_MERGED = register(
    Rule(
        code="turn_merged",
        step="structure",
        action="merge",
        summary="Consecutive turns of one role become one message; the value is how many turns joined another.",
        policy_key="merge_separator",
    )
)
ASSISTANT_LEADING = register(
    Rule(
        code="assistant_leading",
        step="structure",
        action="trim",
        summary="The conversation begins with the assistant: what comes before the first user turn.",
        policy_key="assistant_leading",
    )
)
USER_TRAILING = register(
    Rule(
        code="user_trailing",
        step="structure",
        action="trim",
        summary="A user turn at the end got no reply.",
    )
)
TOOL_TRAILING = register(
    Rule(
        code="tool_trailing",
        step="structure",
        action="trim",
        summary="Tool calls or results at the end are not followed by a reply.",
    )
)
USER_MISSING = register(
    Rule(
        code="user_missing",
        step="structure",
        action="quarantine",
        summary="No user turn is left.",
    )
)
REPLY_WEIGHT_0 = register(
    Rule(
        code="reply_weight_0",
        step="structure",
        action="untrain",
        summary="The source gives the reply weight 0: it stays as context and is not trained.",
    )
)
ASSISTANT_MISSING = register(
    Rule(
        code="assistant_missing",
        step="structure",
        action="quarantine",
        summary="No assistant reply is left that may be trained on.",
    )
)


@dataclass(slots=True)
class Assembled:
    """The pieces that make up the conversation, the decisions, and the fate of every sorted position."""

    pieces: list[Piece]
    decisions: list[Decision]
    fates: list[Fate]

    def messages(self) -> list[Message]:
        """Return the chat messages in order."""
        return [piece.as_message() for piece in self.pieces]


def check_authors(ordered: Ordered) -> list[Decision]:
    """Find turns whose role is not known."""
    unknown = [position for position in ordered.positions if ordered.turns[position].get("r") not in ROLES]
    return [decision(AUTHOR_UNKNOWN, unknown, value=len(unknown))] if unknown else []


def assemble(ordered: Ordered, calls: Mapping[int, list[Call]], *, policy: RepairPolicy) -> Assembled:
    """Build the conversation from turns in a sound order whose roles are all known."""
    decisions: list[Decision] = []
    fates: list[Fate] = ["trimmed"] * len(ordered.turns)
    if len(ordered.positions) < len(fates):
        for position in set(range(len(fates))).difference(ordered.positions):
            fates[position] = "duplicate"
    pieces, empty = expand(ordered.turns, ordered.positions, calls)
    if empty:
        decisions.append(decision(TURN_EMPTY, empty, value=len(empty)))
    had_user = any(piece.role == USER for piece in pieces)
    pieces, repeated = _one_system_prompt(pieces, decisions)
    pieces = _trim_end(_trim_start(pieces, policy, decisions), decisions)
    pieces = pair(_merge(pieces, policy, decisions), decisions)
    _check_what_is_left(pieces, decisions, had_user=had_user)
    _mark_fates(fates, pieces, repeated)
    return Assembled(pieces, decisions, fates)


def _one_system_prompt(pieces: list[Piece], decisions: list[Decision]) -> tuple[list[Piece], list[int]]:
    """Drop copies of the system prompts that lead; any other system turn after the start is a conflict."""
    if not any(piece.role == SYSTEM for piece in pieces):
        return pieces, []
    rest: list[Piece] = []
    prompts: list[str] = []
    repeated: list[int] = []
    conflict: list[int] = []
    for piece in pieces:
        if piece.role != SYSTEM:
            rest.append(piece)
        elif piece.text in prompts:
            repeated += piece.positions
        elif len(prompts) == len(rest):
            prompts.append(piece.text)
            rest.append(piece)
        else:
            conflict += piece.positions
    if repeated:
        decisions.append(decision(SYSTEM_PROMPT_REPEATED, repeated, value=len(repeated)))
    if conflict:
        decisions.append(decision(SYSTEM_PROMPT_CONFLICT, conflict, value=len(conflict)))
    return rest, repeated


def _merge(pieces: list[Piece], policy: RepairPolicy, decisions: list[Decision]) -> list[Piece]:
    merged: list[Piece] = []
    joined: list[int] = []
    previous: Piece | None = None
    for n, piece in enumerate(pieces):
        if previous is None or piece.role != previous.role or not _may_join(pieces, n, previous):
            merged.append(piece)
            previous = piece
        else:
            previous.join(piece, policy.merge_separator)
            joined += piece.positions
    if joined:
        decisions.append(decision(TURN_MERGED, joined, value=len(joined)))
    return merged


def _may_join(pieces: Sequence[Piece], n: int, previous: Piece) -> bool:
    """Say whether piece n may join one of its role: a reply must not join calls whose results never came."""
    piece = pieces[n]
    if piece.role == TOOL:
        return False
    if not previous.calls or piece.calls:
        return True
    following = next((later for later in pieces[n:] if later.role != ASSISTANT or later.calls), None)
    return following is not None and following.role in (TOOL, ASSISTANT)


def _trim_start(pieces: list[Piece], policy: RepairPolicy, decisions: list[Decision]) -> list[Piece]:
    start = 0
    while start < len(pieces) and pieces[start].role == SYSTEM:
        start += 1
    if len(pieces) <= start or pieces[start].role != ASSISTANT:
        return pieces
    end = start
    while end < len(pieces) and pieces[end].role != USER:
        end += 1
    positions = _positions(pieces[start:end])
    decisions.append(
        decision(ASSISTANT_LEADING, positions, value=len(positions), threshold=0, action=policy.assistant_leading)
    )
    return pieces[:start] + pieces[end:] if policy.assistant_leading == "trim" else pieces


def _trim_end(pieces: list[Piece], decisions: list[Decision]) -> list[Piece]:
    """Cut what follows the last reply; the last reply is the last assistant text without tool calls."""
    end = len(pieces)
    users: list[Piece] = []
    tools: list[Piece] = []
    while end and (pieces[end - 1].role != ASSISTANT or pieces[end - 1].calls):
        end -= 1
        if pieces[end].role != SYSTEM:
            (users if pieces[end].role == USER else tools).append(pieces[end])
    for rule, cut in ((TOOL_TRAILING, tools), (USER_TRAILING, users)):
        if cut:
            positions = _positions(cut)
            decisions.append(decision(rule, positions, value=len(positions)))
    return pieces[:end]


def _check_what_is_left(pieces: Sequence[Piece], decisions: list[Decision], *, had_user: bool) -> None:
    replies = [piece for piece in pieces if piece.role == ASSISTANT]
    if not had_user or (replies and not any(piece.role == USER for piece in pieces)):
        decisions.append(decision(USER_MISSING, []))
    if not replies:
        decisions.append(decision(ASSISTANT_MISSING, []))
    elif all(piece.weight == 0 for piece in replies):
        decisions.append(decision(ASSISTANT_MISSING, _positions(replies), value="weight_0"))
    elif untrained := _positions([piece for piece in replies if piece.weight == 0]):
        decisions.append(decision(REPLY_WEIGHT_0, untrained, value=len(untrained)))


def _mark_fates(fates: list[Fate], pieces: Sequence[Piece], repeated: Sequence[int]) -> None:
    for position in repeated:
        fates[position] = "merged"
    for piece in pieces:
        for position in piece.positions[1:]:
            fates[position] = "merged"
    for piece in pieces:
        fates[piece.positions[0]] = "kept"


def _positions(pieces: Sequence[Piece]) -> list[int]:
    return sorted({position for piece in pieces for position in piece.positions})
