"""From measured differences to promote, hold or reject, with reasons that carry the numbers.

Rules, in this order:
1. Fewer answers than `gate.min_examples`, or fewer independent groups than `gate.min_groups`: hold.
2. The gate metric's interval lies below 0: reject, the tuned model is worse.
3. A guard metric's interval lies below 0: hold. The guard is there because a model may gain in wording while it
   stops calling tools rightly; whether that is a fair trade is for people to say.
4. The gate metric's interval lies above `gate.min_gain`: promote.
5. Otherwise: hold, the data do not tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from finelake.config.settings import Gate
from finelake.evaluation.metrics import METRICS
from finelake.evaluation.statistics import PairedDifference

Decision = Literal["promote", "hold", "reject"]

EXIT_CODES: Mapping[Decision, int] = MappingProxyType({"promote": 0, "hold": 10, "reject": 11})


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and the sentences that give its reasons, the deciding one first."""

    decision: Decision
    reasons: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.decision]


def decide(differences: Mapping[str, PairedDifference], *, gate: Gate) -> Verdict:
    """Apply the rules to the difference of each metric; `differences` holds at least the gate's metric."""
    gain = differences[gate.metric]
    told = _told(gate.metric, gain, gate)
    if gain.items < gate.min_examples:
        return Verdict("hold", (f"Only {gain.items} answers, {gate.min_examples} are needed to decide. {told}",))
    if gain.interval is None or gain.groups < gate.min_groups:
        few = f"Only {gain.groups} independent groups, {gate.min_groups} are needed to decide."
        return Verdict("hold", (f"{few} {told}",))
    if gain.interval.high < 0:
        return Verdict("reject", (f"{told} The whole interval is below 0: the tuned model is worse.",))
    fallen = tuple(_fall(name, differences, gate) for name in gate.guards if _has_fallen(differences.get(name)))
    if fallen:
        return Verdict("hold", (*fallen, told))
    if gain.interval.low > gate.min_gain:
        reason = f"{told} The whole interval is above the gain asked for, {_signed(gate.metric, gate.min_gain)}."
        return Verdict("promote", (reason, *_guards_told(differences, gate)))
    reason = f"{told} The interval does not lie above the gain asked for, {_signed(gate.metric, gate.min_gain)}."
    return Verdict("hold", (reason, *_guards_told(differences, gate)))


def _has_fallen(difference: PairedDifference | None) -> bool:
    return difference is not None and difference.interval is not None and difference.interval.high < 0


def _fall(name: str, differences: Mapping[str, PairedDifference], gate: Gate) -> str:
    return f"{_told(name, differences[name], gate)} This guard metric has fallen, so no gain elsewhere is promoted."


def _guards_told(differences: Mapping[str, PairedDifference], gate: Gate) -> tuple[str, ...]:
    told = []
    for name in gate.guards:
        if name in differences:
            told.append(f"Guard: {_told(name, differences[name], gate)} {_guard_finding(differences[name])}")
        else:
            told.append(f"Guard: {METRICS[name].title} could not be measured, no reference calls a tool.")
    return tuple(told)


def _guard_finding(difference: PairedDifference) -> str:
    return "No significant fall." if difference.interval is not None else "Too few groups to tell a fall."


def _told(name: str, difference: PairedDifference, gate: Gate) -> str:
    metric = METRICS[name]
    means = f"{difference.base_mean:.{metric.digits}f} to {difference.tuned_mean:.{metric.digits}f}"
    size = f"{difference.items} answers in {difference.groups} groups"
    if difference.interval is None:
        return f"{metric.title}: {means} ({_signed(name, difference.difference)}; no interval; {size})."
    low, high = _signed(name, difference.interval.low), _signed(name, difference.interval.high)
    spread = f"{gate.confidence * 100:g} % interval {low} to {high}"
    return f"{metric.title}: {means} ({_signed(name, difference.difference)}; {spread}; {size})."


def _signed(name: str, value: float) -> str:
    return f"{value:+.{METRICS[name].digits}f}"
