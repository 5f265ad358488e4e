"""From measured differences to promote, hold or reject, with reasons that carry the numbers.

Rules, in this order:
1. The budget ended before everything was asked, or the gate metric could not be measured: hold.
2. Fewer answers than `gate.min_examples`, or fewer independent groups than `gate.min_groups`: hold.
3. The gate metric's interval lies below 0: reject, the tuned model is worse.
4. A guard has fallen, on the test split or on a suite marked as guard: `gate.on_regression`, by default hold. The
   guard is there because a model may gain in wording while it stops calling tools rightly; whether that is a fair
   trade is for people to say.
5. A suite marked as guard does not exclude a loss of its margin: hold, nothing is proven.
6. The gate is the judge's preference and the judge's verdicts turn with the order too often: hold.
7. The gate metric's interval lies above `gate.min_gain`: promote.
8. Otherwise: hold, the data do not tell.

Where they are known, rules 3 and 7 also ask the sign-flip test, at (1 - confidence) / 2 on one side, and the interval
that allows for large changes in groups that were not seen (caution.py): with few groups an interval alone is wrong
more often than it claims.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from finelake.config.evaluation import Gate
from finelake.evaluation.guards import Finding, SuiteFound, split_guards, suite_guards
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.metrics.registry import BUILT_IN
from finelake.evaluation.power import groups_needed
from finelake.evaluation.statistics import PairedDifference
from finelake.evaluation.wording import p_text, signed, told

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What else counts: the suites, questions that the budget left unasked, a judge that cannot be relied on.

    `notes` are told with every verdict.
    """

    suites: Sequence[SuiteFound] = ()
    unasked: int = 0
    unreliable_judge: str | None = None
    notes: tuple[str, ...] = ()


def decide(
    differences: Mapping[str, PairedDifference],
    *,
    gate: Gate,
    metrics: Mapping[str, Metric] = BUILT_IN,
    circumstances: Circumstances | None = None,
) -> Verdict:
    """Apply the rules to the difference of each metric."""
    around = Circumstances() if circumstances is None else circumstances
    gain, metric = differences.get(gate.metric), metrics[gate.metric]
    if gain is None:
        missing = f"{metric.title} could not be measured on any item of the test split."
        return Verdict("hold", (missing, *_ended(around), *around.notes))
    sentence = told(metric, gain, confidence=gate.confidence)
    guards = [
        *split_guards(differences, gate=gate, metrics=metrics),
        *suite_guards(around.suites, gate=gate, metrics=metrics),
    ]
    verdict = _too_little(gain, sentence, around, gate)
    if verdict is None:
        verdict = _decided(gain, sentence, metric, guards, around, gate)
    return Verdict(verdict.decision, (*verdict.reasons, *around.notes))


def _too_little(gain: PairedDifference, sentence: str, around: Circumstances, gate: Gate) -> Verdict | None:
    """Apply rules 1 and 2."""
    if around.unasked:
        return Verdict("hold", (*_ended(around), sentence))
    if gain.items < gate.min_examples:
        return Verdict("hold", (f"Only {gain.items} answers, {gate.min_examples} are needed to decide. {sentence}",))
    if gain.interval is None or gain.groups < gate.min_groups:
        few = f"Only {gain.groups} independent groups, {gate.min_groups} are needed to decide."
        return Verdict("hold", (f"{few} {sentence}",))
    return None


def _decided(
    gain: PairedDifference,
    sentence: str,
    metric: Metric,
    guards: Sequence[Finding],
    around: Circumstances,
    gate: Gate,
) -> Verdict:
    """Apply rules 3 to 8."""
    by_state = {state: tuple(g.reason for g in guards if g.state == state) for state in ("fallen", "unproven")}
    others = tuple(finding.reason for finding in guards if finding.state in ("kept", "unmeasured"))
    if _is_worse(gain, gate):
        return Verdict("reject", (f"{sentence} The whole interval is below 0: the tuned model is worse.",))
    if by_state["fallen"]:
        return Verdict(gate.on_regression, (*by_state["fallen"], *by_state["unproven"], sentence))
    if by_state["unproven"]:
        return Verdict("hold", (*by_state["unproven"], sentence, *others))
    if gate.metric == "judge_preference" and around.unreliable_judge is not None:
        return Verdict("hold", (around.unreliable_judge, sentence, *others))
    asked_for = signed(metric, gate.min_gain)
    if gain.interval is None or gain.interval.low <= gate.min_gain:
        reason = f"{sentence} The interval does not lie above the gain asked for, {asked_for}. {_power(gain, metric)}"
        return Verdict("hold", (reason.rstrip(), *others))
    if gain.deciding is not None and gain.deciding.low <= gate.min_gain:
        hidden = (
            f"but {gain.groups} groups can hide a few large losses: allowing for them it begins at "
            f"{signed(metric, gain.deciding.low)}"
        )
        reason = f"{sentence} The interval is above {asked_for}, {hidden}. {_power(gain, metric)}"
        return Verdict("hold", (reason.rstrip(), *others))
    if gain.p_gain is not None and gain.p_gain > _one_sided(gate):
        doubt = f"but chance alone gives as much with p = {p_text(gain.p_gain)} (sign-flip test)"
        return Verdict("hold", (f"{sentence} The interval is above {asked_for}, {doubt}.", *others))
    return Verdict("promote", (f"{sentence} The whole interval is above the gain asked for, {asked_for}.", *others))


def _ended(around: Circumstances) -> tuple[str, ...]:
    told = f"The budget ended with {around.unasked} questions unasked; what was answered is partial."
    return (told,) if around.unasked else ()


def _is_worse(gain: PairedDifference, gate: Gate) -> bool:
    sure = gain.p_value is None or gain.p_value <= 1.0 - gate.confidence
    return gain.deciding is not None and gain.deciding.high < 0 and sure


def _one_sided(gate: Gate) -> float:
    return (1.0 - gate.confidence) / 2.0


def _power(gain: PairedDifference, metric: Metric) -> str:
    """Say what a comparison of this size would have shown, and what size would show this gain."""
    if gain.detectable is None:
        return ""
    told_size = f"A true gain of {gain.detectable:.{metric.digits}f} would have shown in 80 % of such comparisons"
    needed = groups_needed(gain.detectable, groups=gain.groups, difference=gain.difference)
    if needed is None or gain.difference < 0 or needed <= gain.groups:
        return f"{told_size}."
    return f"{told_size}; to show one of {gain.difference:.{metric.digits}f} takes about {needed:,} groups."
