"""Task main: compare the tuned with the base model and end with the verdict's exit code."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from finelake.databricks.task_values import publish_values
from finelake.evaluation.run import evaluate_run
from finelake.jobs.task import begin, guarded, task_parser


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    made = task_parser("evaluate", does="Compare the tuned with the base model and give a verdict.")
    made.add_argument("--take-over", action="store_true", help="take the run from a driver that only seems alive")
    made.add_argument(
        "--end-normally", action="store_true", help="end with 0 whatever the verdict: a later task reads it"
    )
    return made


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Run one evaluation; promote ends normally, hold with 10, reject with 11, an error as failed.

    With --end-normally every verdict ends normally: it stands in comparison.json and, where the platform takes them
    from a wheel task, in the task values `verdict`, `run_id` and `evaluation_id`.
    """
    task = begin(parser(), arguments)
    evaluation = evaluate_run(task.spark, task.settings, take_over=task.given.take_over)
    verdict = evaluation.verdict
    logging.getLogger(__name__).info("evaluate run=%s verdict=%s", evaluation.run_id, verdict.decision)
    publish_values(
        {"verdict": verdict.decision, "run_id": evaluation.run_id, "evaluation_id": evaluation.evaluation_id}
    )
    if verdict.exit_code and not task.given.end_normally:
        sys.exit(verdict.exit_code)


if __name__ == "__main__":
    main()
