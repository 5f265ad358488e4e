"""Pair tool results with the calls they answer, in the order of the calls."""

from __future__ import annotations

from collections.abc import Sequence

from finelake.chat import TOOL
from finelake.conversations.calls import Call
from finelake.conversations.pieces import Piece
from finelake.conversations.turns import Decision, decision
from finelake.rules.registry import Rule, register

TOOL_RESULT_WITHOUT_CALL = register(
    Rule(
        code="tool_result_without_call",
        step="structure",
        action="quarantine",
        summary="A tool result does not follow the call that it answers.",
    )
)
TOOL_CALL_WITHOUT_RESULT = register(
    Rule(
        code="tool_call_without_result",
        step="structure",
        action="quarantine",
        summary="A tool call has no result before the conversation goes on.",
    )
)


def pair(pieces: list[Piece], decisions: list[Decision]) -> list[Piece]:
    """Link every tool result to its call and put parallel results into the order of their calls.

    A result answers the call with its id. One without an id answers the first call still open, of its name when it
    has one; so does one whose id no call has, when calls came without ids.
    """
    if not any(piece.calls or piece.role == TOOL for piece in pieces):
        return pieces
    paired: list[Piece] = []
    orphans: list[int] = []
    unanswered: list[int] = []
    n = 0
    while n < len(pieces):
        piece = pieces[n]
        n += 1
        paired.append(piece)
        if piece.role == TOOL:
            orphans += piece.positions
        if not piece.calls:
            continue
        first = n
        while n < len(pieces) and pieces[n].role == TOOL:
            n += 1
        answers, lost = _answers(piece.calls, pieces[first:n])
        paired += answers
        orphans += lost
        if len(answers) < len(piece.calls):
            unanswered += piece.positions
    for rule, positions in ((TOOL_RESULT_WITHOUT_CALL, orphans), (TOOL_CALL_WITHOUT_RESULT, unanswered)):
        if positions:
            decisions.append(decision(rule, positions, value=len(positions)))
    return paired


def _answers(calls: Sequence[Call], results: Sequence[Piece]) -> tuple[list[Piece], list[int]]:
    """Return the results in the order of their calls, and the positions of those that answer none."""
    known = {result.call.id for result in results if result.call is not None}
    open_calls = [call for call in calls if call.id not in known]
    lost: list[int] = []
    for result in results:
        if result.call is None:
            result.call = _take(open_calls, result)
        if result.call is None:
            lost += result.positions
    rank = {call.id: n for n, call in enumerate(calls)}
    answered = [(rank[result.call.id], result) for result in results if result.call is not None]
    return [result for _, result in sorted(answered, key=lambda item: item[0])], lost


def _take(open_calls: list[Call], result: Piece) -> Call | None:
    wanted = result.source_call_id
    for n, call in enumerate(open_calls):
        if wanted is not None and call.source_id == wanted:
            return open_calls.pop(n)
    for n, call in enumerate(open_calls):
        if wanted is not None and call.source_id is not None:
            continue
        if result.name is None or result.name == call.name:
            return open_calls.pop(n)
    return None
