"""Task main: train on the published files and deploy the tuned model, or go on with a run that was begun."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rich.console import Console

from finelake.jobs.task import start
from finelake.training.display.choice import progress_for
from finelake.training.driver import train


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one training; an error ends the task as failed."""
    spark, settings = start("train", arguments)
    with progress_for(Console(stderr=True)) as progress:
        outcome = train(spark, settings, progress=progress)
    logging.getLogger(__name__).info(
        "train run=%s job=%s deployment=%s", outcome.run_id, outcome.job_id, outcome.deployment
    )


if __name__ == "__main__":
    main()
