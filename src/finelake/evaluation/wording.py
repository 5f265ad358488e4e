"""How a difference is told in a sentence and in cells: the same digits everywhere."""

from __future__ import annotations

from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.statistics import Interval, PairedDifference


def told(metric: Metric, difference: PairedDifference, *, confidence: float) -> str:
    """Tell means, difference, interval and size in one sentence."""
    means = f"{difference.base_mean:.{metric.digits}f} to {difference.tuned_mean:.{metric.digits}f}"
    size = f"{difference.items} answers in {difference.groups} groups"
    change = signed(metric, difference.difference)
    if difference.interval is None:
        return f"{metric.title}: {means} ({change}; no interval; {size})."
    spread = f"{confidence * 100:g} % interval {interval_text(metric, difference.interval)}"
    return f"{metric.title}: {means} ({change}; {spread}; {size})."


def interval_text(metric: Metric, interval: Interval | None) -> str:
    """Write an interval as `-0.1 to +0.2`; `none` without one."""
    return "none" if interval is None else f"{signed(metric, interval.low)} to {signed(metric, interval.high)}"


def signed(metric: Metric, value: float) -> str:
    """Write a change with its sign in the metric's digits."""
    return f"{value:+.{metric.digits}f}"


def p_text(value: float | None) -> str:
    """Write a p-value; a dash where there is none."""
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
