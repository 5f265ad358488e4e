"""Which checkpoint of a job is deployed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Policy = Literal["last", "best"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A checkpoint that the service keeps: `model` is the name to deploy; losses in nats a token, None if unmeasured.

    `valid_loss` is of validation batches, `full_valid_loss` of the whole validation file.
    """

    model: str
    step: int
    valid_loss: float | None = None
    full_valid_loss: float | None = None

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Candidate:
        """Read a candidate from what the step `watch` recorded."""
        return cls(
            model=str(record["model"]),
            step=int(record["step"]),
            valid_loss=_finite(record.get("valid_loss")),
            full_valid_loss=_finite(record.get("full_valid_loss")),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The model to deploy, its step (None: the job's last), and why it was chosen."""

    model: str
    step: int | None
    why: str


def choose(candidates: Sequence[Candidate], *, policy: Policy, tuned: str | None) -> Choice | None:
    """Choose among a job's checkpoints; `tuned` is the model of its last step, None where the job has not ended well.

    Of equal losses the later step's counts. None when there is nothing to choose from.
    """
    ordered = sorted(candidates, key=lambda one: one.step)
    if policy == "last" and tuned is not None:
        return Choice(model=tuned, step=None, why="the last step (deployment.checkpoint: last)")
    loss, measured = _measure(ordered)
    if measured:
        best = min(reversed(ordered), key=lambda one: loss[one.step])
        kept = ", ".join(f"{one.step} ({loss[one.step]:.4f})" for one in ordered)
        why = f"the lowest {measured} of the checkpoints that the service keeps, at the steps {kept}"
        return Choice(model=best.model, step=None if best.model == tuned else best.step, why=why)
    if tuned is not None:
        return Choice(model=tuned, step=None, why="the last step: no checkpoint has a validation loss")
    if ordered:
        return Choice(model=ordered[-1].model, step=ordered[-1].step, why="the last checkpoint: none has a loss")
    return None


def _finite(loss: float | None) -> float | None:
    return loss if loss is not None and math.isfinite(loss) else None


def _measure(candidates: Sequence[Candidate]) -> tuple[dict[int, float], str]:
    """Give the losses that can be compared, by step, and their name; an empty name when not all have one."""
    full = {one.step: one.full_valid_loss for one in candidates if one.full_valid_loss is not None}
    if candidates and len(full) == len({one.step for one in candidates}):
        return full, "loss of the whole validation file"
    some = {one.step: one.valid_loss for one in candidates if one.valid_loss is not None}
    if candidates and len(some) == len({one.step for one in candidates}):
        return some, "loss of a validation batch"
    return {}, ""
