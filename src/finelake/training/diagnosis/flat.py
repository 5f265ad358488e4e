"""Flat loss: the job trains and nothing is learned."""

from __future__ import annotations

from finelake.training.curves import Curves, losses, windows
from finelake.training.diagnosis.finding import Finding

RULE = "flat_loss"

LEAST_FALL = 0.02
"""The share by which the median of the last fifth must lie below that of the first; own choice, no source has one."""

_LEAST_POINTS, _WINDOW = 15, 3
_ADVICE = (
    "Raise training.learning_rate_multiplier or training.epochs, and see what is trained: weights of 0, canned "
    "replies, or answers that the base model gives already teach nothing."
)


def flat_loss(curves: Curves) -> Finding:
    """Compare the median training loss of the last fifth of the steps with that of the first fifth."""
    if len(losses(curves.train)) < _LEAST_POINTS:
        return Finding(rule=RULE, level="unknown", words="Too few training losses are measured to judge progress.")
    medians = windows(curves.train, least=_WINDOW)
    first, last = medians[0], medians[-1]
    fall = (first - last) / first if first > 0 else 0.0
    told = f"from a median of {first:.4f} in the first fifth to {last:.4f} in the last ({fall:+.1%} fallen)"
    if abs(fall) >= LEAST_FALL:
        return Finding(rule=RULE, level="fine", words=f"The training loss moved {told}.")
    return Finding(rule=RULE, level="warning", words=f"Flat loss: it went {told}.", advice=_ADVICE)
