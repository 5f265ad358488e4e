"""Task main: compare the tuned with the base model and end with the verdict's exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from finelake.evaluation.run import evaluate_run
from finelake.jobs.task import start


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one evaluation; promote ends normally, hold with 10, reject with 11, an error as failed."""
    spark, settings = start("evaluate", arguments)
    evaluation = evaluate_run(spark, settings)
    verdict = evaluation.verdict
    logging.getLogger(__name__).info("evaluate run=%s verdict=%s", evaluation.run_id, verdict.decision)
    if verdict.exit_code:
        sys.exit(verdict.exit_code)


if __name__ == "__main__":
    main()
