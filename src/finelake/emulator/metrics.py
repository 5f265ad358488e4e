"""The numbers of a step, as events and checkpoints show them and as results.csv lists them."""

from __future__ import annotations

import csv
import io
import sqlite3
from dataclasses import astuple, dataclass

from finelake.emulator.wire import Json, without_nulls

# Header of the documented results.csv; the services' events spell two of the columns differently.
CSV_HEADER = (
    "step",
    "train_loss",
    "train_mean_token_accuracy",
    "valid_loss",
    "validation_mean_token_accuracy",
    "full_valid_loss",
    "full_valid_mean_token_accuracy",
)


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """Losses in nats a token and accuracies from 0 to 1; None where nothing was measured."""

    step: int
    train_loss: float | None
    train_accuracy: float | None
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_accuracy: float | None = None

    def view(self) -> Json:
        """Return the metrics under the names that events and checkpoints use, without those not measured."""
        return without_nulls(
            {
                "step": self.step,
                "train_loss": self.train_loss,
                "train_mean_token_accuracy": self.train_accuracy,
                "valid_loss": self.valid_loss,
                "valid_mean_token_accuracy": self.valid_accuracy,
                "full_valid_loss": self.full_valid_loss,
                "full_valid_mean_token_accuracy": self.full_valid_accuracy,
            }
        )


def metrics_of(row: sqlite3.Row) -> StepMetrics:
    """Read a row of the steps table."""
    values = dict(row)
    del values["job_id"]
    return StepMetrics(**values)


def results_csv(steps: list[StepMetrics]) -> bytes:
    """Write results.csv: one line a step, cells blank where nothing was measured."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows(["" if value is None else value for value in astuple(step)] for step in steps)
    return out.getvalue().encode("utf-8")
