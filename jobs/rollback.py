"""Task main: let the alias stand for what it stood for before."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.jobs.task import begin, guarded, task_parser
from finelake.training.display.lines import LogProgress
from finelake.training.promotion.run import rollback


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    made = task_parser("rollback", does="Let the alias stand for what it stood for before.")
    made.add_argument("--reason", help="why; it is kept")
    return made


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Run one rollback; an error ends the task as failed."""
    task = begin(parser(), arguments)
    done = rollback(task.spark, task.settings, reason=task.given.reason, progress=LogProgress())
    logging.getLogger(__name__).info("rollback alias=%s deployment=%s", done.entry.alias, done.entry.deployment)


if __name__ == "__main__":
    main()
