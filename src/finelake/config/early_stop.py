"""When a job is stopped before its last step."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from finelake.config.section import PositiveInt, Section


class EarlyStop(Section):
    """Stop a job whose validation loss no longer falls, or whose training loss diverges.

    It no longer falls when none of the last `patience` measurements is below the lowest one before them by the share
    `min_improvement`. The loss of the whole validation file, measured at the end of an epoch, counts from its second
    measurement on; before that the loss of validation batches does, as the median of three. `then` says how: a paused
    job gives a checkpoint on Azure and can be resumed; a cancelled one is billed for the work done.
    """

    patience: PositiveInt = 3
    min_improvement: Annotated[float, Field(ge=0, lt=1)] = 0.01
    on_divergence: bool = True
    then: Literal["pause", "cancel"] = "pause"
