"""The losses of a job as a small plot of characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text
from uniplot import plot_to_string

from finelake.training.curves import Curves, Point

LEAST_POINTS = 2

_LABEL_CHARACTERS = 12
_NEAR_ZERO = 0.4
_NAMES = ("train loss", "validation loss", "whole validation file")


def loss_plot(curves: Curves, *, width: int, height: int = 8, colours: bool = True) -> Text | None:
    """Draw the losses by step, `width` characters wide with its labels; None before two steps are measured.

    Losses that are no numbers are left out: a diverged job has some. Without `colours` each curve is drawn with a
    character of its own.
    """
    found = [
        (name, drawable)
        for name, curve in zip(_NAMES, (curves.train, curves.valid, curves.full_valid), strict=True)
        if (drawable := [point for point in curve if math.isfinite(point[1])])
    ]
    if not found or len(found[0][1]) < LEAST_POINTS:
        return None
    drawn = plot_to_string(
        xs=[_steps(curve) for _, curve in found],
        ys=[[loss for _, loss in curve] for _, curve in found],
        legend_labels=[name for name, _ in found],
        lines=[len(curve) >= LEAST_POINTS for _, curve in found],
        width=max(20, width - _LABEL_CHARACTERS),
        height=height,
        color=colours,
        character_set="braille" if colours else "ascii",
        x_gridlines=[],
        y_gridlines=[],
        **_bounds([loss for _, curve in found for _, loss in curve]),
        x_unit=" steps",
    )
    text = Text.from_ansi(drawn)
    text.no_wrap, text.overflow = True, "crop"
    return text


def _bounds(losses: Sequence[float]) -> dict[str, float]:
    """Let the axis begin at 0 where losses come near it; elsewhere the room is for their differences."""
    return {"y_min": 0.0} if min(losses) < _NEAR_ZERO * max(losses) else {}


def _steps(curve: Sequence[Point]) -> list[int]:
    return [step for step, _ in curve]
