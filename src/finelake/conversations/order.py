"""Put the turns of a conversation into their one order, or say why there is none.

The index is the authority; timestamps break its ties and stand in where it is not there. The order does not
depend on how the rows arrived: where position does not decide, the row's content key and content do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from finelake.conversations.turns import Decision, RepairPolicy, TurnRow, decision
from finelake.rules.registry import Rule, register

TURN_DUPLICATE = register(
    Rule(
        code="turn_duplicate",
        step="order",
        action="merge",
        summary="A turn repeats another one at the same place with the same role, text and calls; the copy is dropped.",
    )
)
TURN_ORDER_AMBIGUOUS = register(
    Rule(
        code="turn_order_ambiguous",
        step="order",
        action="quarantine",
        summary="Neither index nor timestamp says which of several different turns comes first.",
    )
)
TURN_INDEX_MISSING = register(
    Rule(
        code="turn_index_missing",
        step="order",
        action="quarantine",
        summary="Some turns have no index, and not every turn has a timestamp to order by instead.",
    )
)
TURN_GAP = register(
    Rule(
        code="turn_gap",
        step="order",
        action="quarantine",
        summary="Turn indexes are missing between the first and the last one; the value is how many.",
        policy_key="gaps",
    )
)
TURN_CLOCK_SKEW = register(
    Rule(
        code="turn_clock_skew",
        step="order",
        action="note",
        summary="A timestamp runs backwards along the index by more than the tolerance; the index wins.",
        policy_key="clock_skew",
    )
)
TOO_MANY_TURNS = register(
    Rule(
        code="too_many_turns",
        step="order",
        action="quarantine",
        summary="The conversation has more turns, copies not counted, than the policy allows.",
        policy_key="max_turns",
    )
)

_MICROSECONDS = 1_000_000

Identity = tuple[object, ...]


@dataclass(slots=True)
class Ordered:
    """All turns in order, the positions that are not copies, and whether the order can be relied on."""

    turns: list[TurnRow]
    positions: Sequence[int]
    decisions: list[Decision]
    sound: bool


def order_turns(turns: Sequence[TurnRow], *, policy: RepairPolicy) -> Ordered:
    """Sort the turns of one conversation and drop identical copies."""
    indexes = [turn.get("i") for turn in turns]
    by_index = None not in indexes
    if by_index and len(set(indexes)) == len(indexes):
        ordered = Ordered(sorted(turns, key=_index), range(len(turns)), [], True)
    else:
        ordered = _order_by_what_there_is(turns, by_index=by_index)
    if by_index:
        _check_gaps(ordered, policy)
        _check_clock(ordered, policy)
    if len(ordered.positions) > policy.max_turns:
        ordered.sound = False
        ordered.decisions.append(
            decision(
                TOO_MANY_TURNS,
                ordered.positions[policy.max_turns :],
                value=len(ordered.positions),
                threshold=policy.max_turns,
            )
        )
    return ordered


def _order_by_what_there_is(turns: Sequence[TurnRow], *, by_index: bool) -> Ordered:
    if by_index:
        return _order_with_ties(turns, first=_index, second=_time)
    if len(turns) == 1:
        return Ordered(list(turns), range(1), [], True)
    if all(turn.get("t") is not None for turn in turns):
        ordered = _order_with_ties(turns, first=_time, second=_optional_index)
        _check_index_against_time(ordered)
        return ordered
    return _no_order(turns)


def _order_with_ties(
    turns: Sequence[TurnRow], *, first: Callable[[TurnRow], int], second: Callable[[TurnRow], int | None]
) -> Ordered:
    """Sort by the first key, drop copies within its ties, and let the second key decide what is left."""
    in_order = sorted(turns, key=lambda turn: (first(turn), *_nulls_last(second(turn)), *_content_key(turn)))
    positions: list[int] = []
    copies: list[int] = []
    unclear: list[int] = []
    for _, group in groupby(range(len(in_order)), key=lambda position: first(in_order[position])):
        distinct = _drop_copies(in_order, list(group), copies)
        positions += distinct
        places = {second(in_order[position]) for position in distinct}
        if len(distinct) > 1 and (None in places or len(places) < len(distinct)):
            unclear += distinct
    decisions = [decision(TURN_DUPLICATE, copies, value=len(copies))] if copies else []
    if unclear:
        decisions.append(decision(TURN_ORDER_AMBIGUOUS, unclear, value=len(unclear)))
    return Ordered(in_order, positions, decisions, not unclear)


def _drop_copies(turns: list[TurnRow], group: list[int], copies: list[int]) -> list[int]:
    seen: set[Identity] = set()
    distinct: list[int] = []
    for position in group:
        identity = _identity(turns[position])
        if identity in seen:
            copies.append(position)
        else:
            seen.add(identity)
            distinct.append(position)
    return distinct


def _no_order(turns: Sequence[TurnRow]) -> Ordered:
    in_order = sorted(
        turns, key=lambda turn: (*_nulls_last(turn.get("i")), *_nulls_last(turn.get("t")), *_content_key(turn))
    )
    unplaced = [position for position, turn in enumerate(in_order) if turn.get("i") is None]
    decisions: list[Decision] = []
    if in_order and len(unplaced) < len(in_order):
        decisions.append(decision(TURN_INDEX_MISSING, unplaced, value=len(unplaced)))
    elif in_order:
        unplaced = [position for position in unplaced if in_order[position].get("t") is None]
        decisions.append(decision(TURN_ORDER_AMBIGUOUS, unplaced, value=len(unplaced)))
    return Ordered(in_order, range(len(in_order)), decisions, not decisions)


def _check_index_against_time(ordered: Ordered) -> None:
    placed = [(position, ordered.turns[position].get("i")) for position in ordered.positions]
    indexed = [(position, index) for position, index in placed if index is not None]
    backwards = [later for (_, before), (later, after) in pairwise(indexed) if after < before]
    if backwards and ordered.sound:
        ordered.sound = False
        ordered.decisions.append(decision(TURN_ORDER_AMBIGUOUS, backwards, value="index_against_time"))


def _check_gaps(ordered: Ordered, policy: RepairPolicy) -> None:
    if not ordered.positions:
        return
    indexes = [_index(ordered.turns[position]) for position in ordered.positions]
    missing = indexes[-1] - indexes[0] + 1 - len(set(indexes))
    if missing > 0:
        after = [
            position
            for position, index, before in zip(ordered.positions[1:], indexes[1:], indexes, strict=False)
            if index - before > 1
        ]
        ordered.decisions.append(decision(TURN_GAP, after, value=missing, threshold=0, action=policy.gaps))


def _check_clock(ordered: Ordered, policy: RepairPolicy) -> None:
    stamped = [
        (position, time) for position in ordered.positions if (time := ordered.turns[position].get("t")) is not None
    ]
    tolerance = policy.clock_skew_tolerance_seconds * _MICROSECONDS
    steps = [(later, before - after) for (_, before), (later, after) in pairwise(stamped) if before - after > tolerance]
    if steps:
        largest = max(back for _, back in steps) / _MICROSECONDS
        ordered.decisions.append(
            decision(
                TURN_CLOCK_SKEW,
                [position for position, _ in steps],
                value=largest,
                threshold=policy.clock_skew_tolerance_seconds,
                action=policy.clock_skew,
            )
        )


def _index(turn: TurnRow) -> int:
    index = turn["i"]
    return 0 if index is None else index


def _time(turn: TurnRow) -> int:
    time = turn.get("t")
    return 0 if time is None else time


def _optional_index(turn: TurnRow) -> int | None:
    return turn.get("i")


def _nulls_last(value: int | None) -> tuple[bool, int]:
    return (True, 0) if value is None else (False, value)


def _identity(turn: TurnRow) -> Identity:
    """Say what makes two rows at one place the same turn: a tool result for another call is another turn."""
    return turn.get("r"), turn.get("x"), turn.get("c"), turn.get("d"), turn.get("n"), bool(turn.get("u"))


def _content_key(turn: TurnRow) -> tuple[str, ...]:
    weight = turn.get("w")
    return (
        turn.get("k") or "",
        *("" if part is None else f"={part}" for part in _identity(turn)),
        "" if weight is None else str(weight),
    )
