"""Task main: train on the published files and deploy the tuned model, or go on with a run that was begun."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from finelake.jobs.task import start
from finelake.training.display import LogProgress
from finelake.training.driver import train


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one training; an error ends the task as failed."""
    spark, settings = start("train", arguments)
    outcome = train(spark, settings, progress=LogProgress())
    logging.getLogger(__name__).info(
        "train run=%s job=%s deployment=%s", outcome.run_id, outcome.job_id, outcome.deployment
    )


if __name__ == "__main__":
    main()
