"""The losses of a job by step, as far as they are measured."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finelake.training.events import Measurement

Point = tuple[int, float]
"""A step and the loss measured there, in nats a token."""

_RECENT = 5


@dataclass(frozen=True, slots=True)
class Curves:
    """Losses by step, ascending: of training batches, of validation batches, of the whole validation file.

    The whole file is measured at the end of an epoch only.
    """

    train: tuple[Point, ...] = ()
    valid: tuple[Point, ...] = ()
    full_valid: tuple[Point, ...] = ()

    @classmethod
    def of(cls, measured: Iterable[Measurement]) -> Curves:
        """Sort measurements into curves; of several at one step the last one counts."""
        train: dict[int, float] = {}
        valid: dict[int, float] = {}
        full: dict[int, float] = {}
        for one in measured:
            for curve, loss in ((train, one.train_loss), (valid, one.valid_loss), (full, one.full_valid_loss)):
                if loss is not None:
                    curve[one.step] = loss
        return cls(tuple(sorted(train.items())), tuple(sorted(valid.items())), tuple(sorted(full.items())))

    @property
    def validation(self) -> tuple[Point, ...]:
        """The surer of both validation curves: that of the whole file where it has two points, else of batches."""
        return self.full_valid if len(self.full_valid) > 1 else self.valid


def losses(curve: Sequence[Point]) -> list[float]:
    """Give the finite losses of a curve, in order."""
    return [loss for _, loss in curve if math.isfinite(loss)]


def recent(curve: Sequence[Point], *, points: int = _RECENT) -> float | None:
    """Give the median of the last points of a curve: single batches are noisy. None without a finite loss."""
    values = losses(curve)[-points:]
    return statistics.median(values) if values else None


def windows(curve: Sequence[Point], *, least: int, parts: int = 5) -> list[float]:
    """Cut a curve into up to `parts` windows of at least `least` points and give each one's median."""
    values = losses(curve)
    count = min(parts, len(values) // least)
    bounds = [round(at * len(values) / count) for at in range(count + 1)] if count else []
    return [statistics.median(values[low:high]) for low, high in itertools.pairwise(bounds)]
