"""How fast a job trains, measured from its own steps: services promise finishing times that are a day off."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

Moment = tuple[int, float]
"""A step, and when the service measured it, in seconds by the service's clock."""

_WINDOW = 20
_PAUSE = 5.0


def seconds_a_step(moments: Sequence[Moment]) -> float | None:
    """Give the recent pace in seconds a step; None before two steps are measured.

    Times of one pause, a wait for a machine say, are left out: those of more than five times the median.
    """
    ordered = sorted(dict(moments).items())[-_WINDOW - 1 :]
    spans = [
        (later[0] - earlier[0], later[1] - earlier[1])
        for earlier, later in itertools.pairwise(ordered)
        if later[1] >= earlier[1]
    ]
    if not spans:
        return None
    usual = statistics.median(seconds / steps for steps, seconds in spans)
    # Services give whole seconds, so that the median of a fast job may be 0: then nothing is a pause.
    kept = [(steps, seconds) for steps, seconds in spans if usual == 0 or seconds / steps <= _PAUSE * usual]
    return sum(seconds for _, seconds in kept) / sum(steps for steps, _ in kept)


def seconds_left(moments: Sequence[Moment], *, steps: int | None, since_last: float = 0.0) -> float | None:
    """Give the seconds until the last step, less the time `since_last` was measured; None while it cannot be told."""
    pace = seconds_a_step(moments)
    if pace is None or steps is None:
        return None
    done = max(step for step, _ in moments)
    return max(0.0, (steps - done) * pace - since_last) if done <= steps else None
