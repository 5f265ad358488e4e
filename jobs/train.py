"""Task main: train on the published files and deploy the tuned model, or go on with a run that was begun."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from rich.console import Console

from finelake.jobs.task import begin, guarded, task_parser
from finelake.training.display.choice import progress_for
from finelake.training.driver import train


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    made = task_parser("train", does="Train on the published files and deploy the tuned model.")
    made.add_argument("--take-over", action="store_true", help="take the run from a driver that only seems alive")
    return made


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Run one training; an error ends the task as failed."""
    task = begin(parser(), arguments)
    with progress_for(Console(stderr=True)) as progress:
        outcome = train(task.spark, task.settings, progress=progress, take_over=task.given.take_over)
    logging.getLogger(__name__).info(
        "train run=%s job=%s deployment=%s", outcome.run_id, outcome.job_id, outcome.deployment
    )


if __name__ == "__main__":
    main()
