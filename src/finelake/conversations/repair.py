"""The repair of one conversation: order, then text, then structure, with all reasons collected at once."""

from __future__ import annotations

from collections.abc import Sequence

from finelake.conversations.calls import ReadCalls, read_calls
from finelake.conversations.layouts import read_conversation
from finelake.conversations.order import Ordered, order_turns
from finelake.conversations.structure import assemble, check_authors
from finelake.conversations.text import check_text
from finelake.conversations.turns import Decision, Fate, Repaired, RepairPolicy, TurnRow


def repair(turns: Sequence[TurnRow], *, policy: RepairPolicy | None = None) -> Repaired:
    """Repair one conversation; never raises on what the turns hold, and does not depend on their order in the list.

    Where the order is not sound, a role is unknown or a call cannot be read, the rules that look at one turn still
    report, and those that need the whole conversation do not.
    """
    policy = policy or RepairPolicy()
    ordered = order_turns(turns, policy=policy)
    calls = read_calls(ordered.turns, ordered.positions, fields=policy.tool_fields)
    decisions = ordered.decisions
    decisions += check_text(ordered.turns, ordered.positions, more=calls.texts(), policy=policy)
    unknown = check_authors(ordered)
    decisions += unknown
    decisions += calls.decisions
    if ordered.sound and not unknown and not calls.decisions:
        return _assemble(ordered, calls, policy)
    return _quarantined(ordered, decisions)


def repair_conversation(value: str | None, *, policy: RepairPolicy | None = None) -> Repaired:
    """Repair a conversation that is one JSON text (OpenAI chat or ShareGPT); see `layouts.read_conversation`."""
    read = read_conversation(value)
    if read.decisions:
        return Repaired([], [], [], read.decisions, [], [])
    return repair(read.turns, policy=policy)


def _assemble(ordered: Ordered, calls: ReadCalls, policy: RepairPolicy) -> Repaired:
    decisions = ordered.decisions
    assembled = assemble(ordered, calls.calls, policy=policy)
    decisions += assembled.decisions
    if any(decision.action == "quarantine" for decision in decisions):
        return _quarantined(ordered, decisions)
    pieces = assembled.pieces
    return Repaired(
        messages=assembled.messages(),
        positions=[piece.positions for piece in pieces],
        weights=[piece.weight for piece in pieces],
        decisions=decisions,
        fates=assembled.fates,
        indexes=_indexes(ordered),
        origins=[turn.get("o") for turn in ordered.turns],
    )


def _quarantined(ordered: Ordered, decisions: list[Decision]) -> Repaired:
    fates: list[Fate] = ["quarantined"] * len(ordered.turns)
    return Repaired([], [], [], decisions, fates, _indexes(ordered))


def _indexes(ordered: Ordered) -> list[int | None]:
    return [turn.get("i") for turn in ordered.turns]
