"""The values that travel through the repair of one conversation: turns, policy, decisions and the result.

Everything here runs inside Spark's Python workers once per conversation, hence plain dicts and slots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal, TypedDict, get_args

from finelake.chat import Message
from finelake.errors import ConfigError
from finelake.rules.registry import Action, Rule

Fate = Literal["kept", "merged", "trimmed", "duplicate", "quarantined"]
"""What became of a raw turn; every raw turn has exactly one fate."""

FATES: tuple[Fate, ...] = get_args(Fate)

GapPolicy = Literal["quarantine", "keep"]
SkewPolicy = Literal["note", "quarantine"]
LeadingPolicy = Literal["trim", "keep", "quarantine"]
TextPolicy = Literal["quarantine", "keep"]


class TurnRow(TypedDict, total=False):
    """One raw turn; a key that is absent means the same as null.

    i: turn index · t: timestamp in microseconds · a: raw author (for messages, never logged) · r: role, null when
    the author is unknown · x: text · u: the text was not valid UTF-8 · c: tool calls as JSON text · d: the call that
    a tool result answers · n: name · o: origin · w: weight 0 or 1 · k: key that is unique to the row's content.
    """

    i: int | None
    t: int | None
    a: str | None
    r: str | None
    x: str | None
    u: bool | None
    c: str | None
    d: str | None
    n: str | None
    o: str | None
    w: int | None
    k: str | None


OWN_KEYS = frozenset({"i", "t", "k", "r", "u", "w"})
"""The keys of a turn whose values are finelake's own or numbers of the order; none holds text of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFields:
    """Names of the fields of a generic tool call: `results` on the call itself makes the turn expand."""

    name: str = "name"
    arguments: str = "arguments"
    results: str = "results"
    id: str = "id"

    def __post_init__(self) -> None:
        names = [self.name, self.arguments, self.results, self.id]
        if not all(names) or len(set(names)) < len(names):
            raise ConfigError(f"Tool field names must be four different, non-empty names; found {names}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPolicy:
    """What the repair does where a rule leaves a choice; raises ConfigError on a value that is not allowed."""

    gaps: GapPolicy = "quarantine"
    clock_skew: SkewPolicy = "note"
    clock_skew_tolerance_seconds: float = 5.0
    max_turns: int = 2048
    control_characters: TextPolicy = "quarantine"
    special_tokens: TextPolicy = "quarantine"
    assistant_leading: LeadingPolicy = "trim"
    merge_separator: str = "\n"
    tool_fields: ToolFields = field(default_factory=ToolFields)

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigError(f"Repair policy {name!r} is {value!r}; allowed are {', '.join(allowed)}.")
        if not 0 <= self.clock_skew_tolerance_seconds < float("inf"):
            raise ConfigError(
                "Repair policy 'clock_skew_tolerance_seconds' is "
                f"{self.clock_skew_tolerance_seconds!r}; it must be a number of seconds of at least 0."
            )
        if self.max_turns < 1:
            raise ConfigError(f"Repair policy 'max_turns' is {self.max_turns!r}; it must be at least 1.")
        if not self.merge_separator or self.merge_separator.strip() or set(self.merge_separator) - set(" \t\n\r"):
            raise ConfigError(
                f"Repair policy 'merge_separator' is {self.merge_separator!r}; it must be one or more of "
                "space, tab, newline and carriage return."
            )

    def settings(self) -> dict[str, object]:
        """Return the fields as a mapping, as `rules.registry.fingerprint` takes it."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "gaps": get_args(GapPolicy),
    "clock_skew": get_args(SkewPolicy),
    "control_characters": get_args(TextPolicy),
    "special_tokens": get_args(TextPolicy),
    "assistant_leading": get_args(LeadingPolicy),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """One rule applied to one conversation.

    `turns` are positions in the sorted conversation (from 0, duplicates counted). `value` and `threshold` are
    numbers or codes, never text of the conversation.
    """

    step: str
    action: Action
    reason: str
    turns: list[int]
    value: str | None = None
    threshold: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Raw turns by fate: kept + merged + trimmed + duplicate + quarantined == turns_in, always."""

    turns_in: int
    kept: int = 0
    merged: int = 0
    trimmed: int = 0
    duplicate: int = 0
    quarantined: int = 0


@dataclass(slots=True)
class Repaired:
    """The outcome for one conversation; a quarantined one has reasons and no messages.

    `positions[m]` are the sorted positions of the raw turns in message m, `weights[m]` its weight (None: not
    given), `indexes[p]` the mapped turn index of sorted position p, `fates[p]` what became of it and `origins[p]` who
    wrote it, where that is known.
    """

    messages: list[Message]
    positions: list[list[int]]
    weights: list[int | None]
    decisions: list[Decision]
    fates: list[Fate]
    indexes: list[int | None]
    origins: list[str | None] = field(default_factory=list)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Codes of all rules that quarantine the conversation, in the order of the steps; empty when it is kept."""
        return tuple(decision.reason for decision in self.decisions if decision.action == "quarantine")

    @property
    def counts(self) -> Counts:
        """Raw turns by fate."""
        fates = self.fates
        return Counts(len(fates), *(fates.count(fate) for fate in FATES))


def decision(
    rule: Rule,
    turns: Sequence[int],
    *,
    value: object = None,
    threshold: object = None,
    action: Action | None = None,
) -> Decision:
    """Build the decision of a rule; `action` overrides the rule's default where a policy chose another."""
    return Decision(
        step=rule.step,
        action=rule.action if action is None else action,
        reason=rule.code,
        turns=list(turns),
        value=None if value is None else str(value),
        threshold=None if threshold is None else str(threshold),
    )
