"""A job's events as they come in, and the measurements inside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from openai.types.fine_tuning import FineTuningJobEvent

from finelake.services.base import FineTuningService
from finelake.training.patience import Patience

_STEP_LINE = re.compile(
    r"\AStep (?P<step>\d+)(?:/(?P<steps>\d+))?: training loss=(?P<train>[0-9.eE+-]+)"
    r"(?:, validation loss=(?P<valid>[0-9.eE+-]+))?"
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured at one step: losses in nats a token, accuracies as shares; None where not measured.

    `raw` is all that the service said of the step, under its own names: methods and services measure further things.
    """

    step: int
    steps: int | None = None
    train_loss: float | None = None
    train_accuracy: float | None = None
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_accuracy: float | None = None
    raw: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a job; `measured` is set on metrics, `data` is all that came with the event besides its text."""

    id: str
    created_at: datetime
    level: str
    message: str
    measured: Measurement | None
    data: Mapping[str, Any] | None = None


class EventStream:
    """The events of one job, oldest first in `all`; each look takes what is new, newest first, until the last seen."""

    def __init__(self, service: FineTuningService, job_id: str, *, patience: Patience) -> None:
        self._service = service
        self._job_id = job_id
        self._patience = patience
        self._seen: set[str] = set()
        self.all: list[Event] = []

    def take_new(self) -> list[Event]:
        """Give the events since the last look, oldest first."""
        fresh = self._patience.ask(self._fetch, action=f"reading the events of {self._job_id}", fresh=True)
        self._seen.update(event.id for event in fresh)
        self.all.extend(fresh)
        return fresh

    def _fetch(self) -> list[Event]:
        fresh: list[Event] = []
        for event in self._service.events(self._job_id):
            if event.id in self._seen:
                break
            fresh.append(_event(event))
        fresh.reverse()
        return fresh


def measurement(values: dict[str, Any]) -> Measurement | None:
    """Read a measurement from an event's data or a row of the result file; None without a step.

    Both spellings of validation accuracy are read: `valid_…` and `validation_mean_token_accuracy`.
    """
    step = _number(values.get("step"))
    if step is None:
        return None
    steps = _number(values.get("total_steps"))
    accuracy = values.get("valid_mean_token_accuracy")
    return Measurement(
        step=int(step),
        steps=None if steps is None else int(steps),
        train_loss=_number(values.get("train_loss")),
        train_accuracy=_number(values.get("train_mean_token_accuracy")),
        valid_loss=_number(values.get("valid_loss")),
        valid_accuracy=_number(values.get("validation_mean_token_accuracy") if accuracy in {None, ""} else accuracy),
        full_valid_loss=_number(values.get("full_valid_loss")),
        full_valid_accuracy=_number(values.get("full_valid_mean_token_accuracy")),
        raw=values,
    )


def _event(event: FineTuningJobEvent) -> Event:
    data = getattr(event, "data", None)
    measured = measurement(data) if isinstance(data, dict) else None
    return Event(
        id=event.id,
        created_at=datetime.fromtimestamp(event.created_at, UTC),
        level=str(event.level),
        message=event.message,
        measured=measured or _from_message(event.message),
        data=data if isinstance(data, dict) and data else None,
    )


def _from_message(message: str) -> Measurement | None:
    found = _STEP_LINE.match(message)
    if found is None:
        return None
    return measurement(
        {
            "step": found["step"],
            "total_steps": found["steps"],
            "train_loss": found["train"],
            "valid_loss": found["valid"],
        }
    )


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
