"""Whether a job should be stopped before its last step, by its losses."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from finelake.config.early_stop import EarlyStop
from finelake.training.curves import Curves, losses
from finelake.training.diagnosis.divergence import divergence

_SMOOTHED = 3


def reason_to_stop(curves: Curves, config: EarlyStop) -> str | None:
    """Say why the job should be stopped; None while there is no reason or too little is measured."""
    found = divergence(curves)
    if config.on_divergence and found.needs_attention:
        return found.words
    whole = len(curves.full_valid) > 1
    values = losses(curves.full_valid) if whole else _smoothed(losses(curves.valid))
    if len(values) <= config.patience:
        return None
    before, last = min(values[: -config.patience]), min(values[-config.patience :])
    if last < before * (1.0 - config.min_improvement):
        return None
    measured = "of the whole validation file" if whole else "of validation batches"
    return (
        f"The loss {measured} has not improved by {config.min_improvement:.1%} in {config.patience} measurements: "
        f"lowest {before:.4f} before, {last:.4f} since."
    )


def _smoothed(values: Sequence[float]) -> list[float]:
    """Give the running median of three; single batches are noisy."""
    return [statistics.median(values[at : at + _SMOOTHED]) for at in range(len(values) - _SMOOTHED + 1)]
