"""How much and how fast: emptiness, length, tokens, latency."""

from __future__ import annotations

from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.metric import Metric, against_reference
from finelake.evaluation.replies import Reply, rendered


def non_empty(case: Case) -> float:
    """Tell whether there is an answer at all: 1 or 0."""
    return float(not case.answer.is_empty)


def length_ratio(answer: Reply, reference: Reply) -> float | None:
    """Give the answer's length in characters over the reference's; None when the reference is empty."""
    expected = len(rendered(reference))
    return len(rendered(answer)) / expected if expected else None


def completion_tokens(case: Case) -> float:
    """Give the tokens that the service billed for the answer; 0 for a failed one."""
    return float(case.completion_tokens)


def latency(case: Case) -> float:
    """Give the seconds of the last try, retries of the SDK included."""
    return case.seconds


METRICS = (
    Metric("non_empty", "not empty", 3, non_empty, pass_fail=True),
    Metric("length_ratio", "length / reference", 2, against_reference(length_ratio), better="neither"),
    Metric("completion_tokens", "completion tokens", 1, completion_tokens, better="neither"),
    Metric("latency", "latency in seconds", 2, latency, better="lower"),
)
