"""Over-fitting: the model learns its examples by heart, and validation pays for it.

The ratio of validation to training loss tells: below 1.2 is healthy, above 2 severe (Microsoft's agent skill for
fine-tuning in Foundry). It is told together with the step at which validation was best, since a checkpoint from there
may be had.
"""

from __future__ import annotations

from finelake.training.curves import Curves, losses, recent
from finelake.training.diagnosis.finding import Finding, Level

RULE = "overfitting"
HEALTHY_RATIO, SEVERE_RATIO = 1.2, 2.0

_LEAST_TRAIN, _LEAST_VALID = 5, 2
_RISEN = 1.05
_ADVICE = (
    "Train fewer epochs (training.epochs), take the best checkpoint (deployment.checkpoint: best), lower "
    "training.learning_rate_multiplier, or add more and more varied conversations."
)


def overfitting(curves: Curves) -> Finding:
    """Judge the ratio of the recent validation loss to the recent training loss."""
    train, valid = recent(curves.train), _recent_validation(curves)
    if len(losses(curves.train)) < _LEAST_TRAIN or valid is None or train is None or train <= 0:
        return Finding(rule=RULE, level="unknown", words="Too few losses are measured to judge over-fitting.")
    ratio = valid / train
    told = f"Validation loss {valid:.4f} is {ratio:.2f} times the training loss {train:.4f}"
    if ratio < HEALTHY_RATIO:
        return Finding(rule=RULE, level="fine", words=f"{told}: healthy (below {HEALTHY_RATIO}).")
    level: Level = "severe" if ratio > SEVERE_RATIO else "warning"
    line = f"above {SEVERE_RATIO:.0f}, severe" if level == "severe" else f"healthy is below {HEALTHY_RATIO}"
    return Finding(
        rule=RULE,
        level=level,
        words=f"Over-fitting: {told[0].lower()}{told[1:]} ({line}).{_turned(curves)}",
        advice=_ADVICE,
    )


def _recent_validation(curves: Curves) -> float | None:
    if curves.full_valid:
        return recent(curves.full_valid, points=1)
    return recent(curves.valid) if len(losses(curves.valid)) >= _LEAST_VALID else None


def _turned(curves: Curves) -> str:
    """Say where validation was best, when it has risen from there."""
    whole = curves.validation
    now = recent(whole, points=1 if curves.full_valid else 5)
    if now is None:
        return ""
    step, lowest = min(whole, key=lambda point: point[1])
    return f" It was lowest, {lowest:.4f}, at step {step}." if now > lowest * _RISEN else ""
