"""Divergence: the training loss grows instead of falling, or is no number any more."""

from __future__ import annotations

import math

from finelake.training.curves import Curves, losses, windows
from finelake.training.diagnosis.finding import Finding

RULE = "divergence"

GROWN = 1.5
"""How many times the lowest window's median the last one must be; medians of windows vary less than batches do."""

GROWN_FROM_START = 2.0
"""The same against the losses of the first step, for a job that diverged before its second report."""

GUESSING = math.log(200_000)
"""The loss of a model that guesses each token of a vocabulary of 200,000 (o200k_base), in nats."""

_LEAST_POINTS, _WINDOW = 10, 5
_ADVICE = (
    "Lower training.learning_rate_multiplier (Azure's guide advises 0.02 to 0.2), raise training.batch_size, and look "
    "at the examples for broken text. The job is better cancelled than waited for (finelake cancel)."
)


def divergence(curves: Curves) -> Finding:
    """Compare the median training loss of the latest window with the lowest one, the first step, and guessing."""
    lost = next((step for step, loss in curves.train if not math.isfinite(loss)), None)
    if lost is not None:
        return _found(f"the training loss is no number any more from step {lost} on")
    if len(losses(curves.train)) < _LEAST_POINTS:
        return Finding(rule=RULE, level="unknown", words="Too few training losses are measured to judge divergence.")
    medians = windows(curves.train, least=_WINDOW)
    lowest, latest, start = min(medians[:-1]), medians[-1], _start(curves)
    if latest > GROWN * lowest:
        return _found(f"the training loss grew from a median of {lowest:.4f} to {latest:.4f}")
    if start is not None and latest > GROWN_FROM_START * start:
        return _found(f"the training loss grew from {start:.4f} at the first step to a median of {latest:.4f}")
    if latest > GUESSING:
        return _found(f"the training loss, a median of {latest:.4f}, is worse than guessing ({GUESSING:.1f})")
    return Finding(rule=RULE, level="fine", words=f"The training loss does not grow (latest median {latest:.4f}).")


def _found(words: str) -> Finding:
    return Finding(rule=RULE, level="severe", words=f"Divergence: {words}.", advice=_ADVICE)


def _start(curves: Curves) -> float | None:
    """Give the larger of both losses of the first step; one batch alone may be easy by luck."""
    step, loss = curves.train[0]
    validation = dict(curves.valid).get(step)
    return None if validation is None else max(loss, validation)
