"""All rules over one job."""

from __future__ import annotations

from collections.abc import Iterable

from finelake.training.curves import Curves
from finelake.training.diagnosis.divergence import divergence
from finelake.training.diagnosis.finding import Finding
from finelake.training.diagnosis.flat import flat_loss
from finelake.training.diagnosis.overfitting import overfitting
from finelake.training.diagnosis.safety import safety

RULES = (divergence, flat_loss, overfitting)
"""The rules over losses; `safety` reads what the service says."""


def diagnose(curves: Curves, messages: Iterable[str]) -> tuple[Finding, ...]:
    """Apply every rule, each to what is measured so far."""
    return (*(rule(curves) for rule in RULES), safety(messages))
