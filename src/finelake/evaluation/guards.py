"""Guards: what a tuned model must not lose while it gains elsewhere.

On the test split a guard metric has fallen when its interval lies on the wrong side of 0 and its p-value, corrected
for the number of guards, says so too. On a suite marked as guard more is asked: the interval must exclude a loss of
the suite's margin (non-inferiority), so that too little data never passes for no loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from finelake.config.evaluation import Gate, Suite
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.power import clean_groups_needed
from finelake.evaluation.significance import holm
from finelake.evaluation.statistics import Interval, PairedDifference
from finelake.evaluation.wording import told

State = Literal["kept", "fallen", "unproven", "unmeasured"]
REFUSAL = "refusal_match"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one guard, and the sentence that says it. `unmeasured` ones never stop a promotion."""

    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class SuiteFound:
    """What was measured on one suite: the differences by metric."""

    suite: Suite
    items: int
    groups: int
    metrics: Mapping[str, PairedDifference]

    def guarded(self, gate: Gate) -> tuple[str, ...]:
        """Give the metrics that must not fall."""
        if not self.suite.guard:
            return ()
        return self.suite.metrics or ((REFUSAL,) if self.suite.kind == "refusals" else (gate.metric,))


def split_guards(
    differences: Mapping[str, PairedDifference], *, gate: Gate, metrics: Mapping[str, Metric]
) -> list[Finding]:
    """Look at the gate's guard metrics on the test split, in their order."""
    p_values = {name: _p_value(differences[name]) for name in gate.guards if name in differences}
    corrected = holm(p_values) if gate.correction == "holm" else p_values
    found = []
    for name in gate.guards:
        metric = metrics[name]
        if name not in differences:
            found.append(Finding("unmeasured", f"Guard: {metric.title} could not be measured, {_why(name)}."))
            continue
        sentence = told(metric, differences[name], confidence=gate.confidence)
        interval = _oriented(metric, differences[name].interval)
        if interval is None:
            found.append(Finding("unmeasured", f"Guard: {sentence} Too few groups to tell a fall."))
        elif interval.high < 0 and corrected[name] <= 1.0 - gate.confidence:
            fall = "This guard metric has fallen, so no gain elsewhere is promoted."
            found.append(Finding("fallen", f"{sentence} {fall}"))
        else:
            found.append(Finding("kept", f"Guard: {sentence} No significant fall."))
    return found


def suite_guards(suites: Sequence[SuiteFound], *, gate: Gate, metrics: Mapping[str, Metric]) -> list[Finding]:
    """Look at every guarded metric of every suite that is marked as guard."""
    return [
        _suite_guard(found, metrics[name], gate) for found in suites for name in found.guarded(gate) if name in metrics
    ]


def _suite_guard(found: SuiteFound, metric: Metric, gate: Gate) -> Finding:
    suite, difference = found.suite, found.metrics.get(metric.name)
    label = f"Guard suite {suite.name}:"
    if difference is None:
        return Finding("unproven", f"{label} {metric.title} could not be measured on its {found.items} items.")
    sentence = f"{label} {told(metric, difference, confidence=gate.confidence)}"
    margin = suite.margin * metric.scale
    limit = f"{-margin:.{metric.digits}f}" if metric.better != "lower" else f"{margin:+.{metric.digits}f}"
    if difference.items < suite.min_examples or difference.groups < suite.min_groups:
        few = f"Fewer than {suite.min_examples} answers or {suite.min_groups} groups do not prove that nothing is lost."
        return Finding("unproven", f"{sentence} {few}")
    interval = _oriented(metric, difference.deciding)
    if interval is None or interval.high < -margin:
        return Finding("fallen", f"{sentence} The loss is beyond the margin, {limit}.")
    if interval.low > -margin:
        return Finding("kept", f"{sentence} A loss beyond the margin, {limit}, is excluded.")
    doubt = f"A loss beyond the margin, {limit}, is not excluded."
    return Finding("unproven", f"{sentence} {doubt}{_hint(metric, suite, gate)}")


def _hint(metric: Metric, suite: Suite, gate: Gate) -> str:
    if not metric.pass_fail:
        return ""
    needed = clean_groups_needed(suite.margin, confidence=gate.confidence)
    return f" It takes at least {needed} independent prompts without any loss to prove that."


def _oriented(metric: Metric, interval: Interval | None) -> Interval | None:
    """Turn an interval so that lower is worse."""
    if interval is None or metric.better != "lower":
        return interval
    return Interval(low=-interval.high, high=-interval.low)


def _p_value(difference: PairedDifference) -> float:
    return 0.0 if difference.p_value is None else difference.p_value


def _why(name: str) -> str:
    return "no reference calls a tool" if name.startswith("tool_") else "it applies to no item"
