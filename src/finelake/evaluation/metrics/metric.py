"""The declaration of a metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from finelake.evaluation.metrics.case import Case
from finelake.evaluation.replies import Reply

Measure = Callable[[Case], float | None]
Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A named measure of a case; None means that it does not apply to the item.

    `digits` are shown after the point. `pass_fail` marks values of 0 or 1 only, which get McNemar's test. `scale` is
    the metric's range, of which a suite's margin is a share.
    """

    name: str
    title: str
    digits: int
    measure: Measure
    better: Better = "higher"
    pass_fail: bool = False
    scale: float = 1.0


def against_reference(compare: Callable[[Reply, Reply], float | None]) -> Measure:
    """Turn a function of (answer, reference) into a measure, which does not apply without a reference."""

    def measure(case: Case) -> float | None:
        return None if case.reference is None else compare(case.answer, case.reference)

    return measure


def is_other_kind(answer: Reply, reference: Reply) -> bool:
    """Tell whether the answer is empty, or text where a tool call is due, or a call where text is due."""
    return answer.is_empty or answer.calls_tools != reference.calls_tools
