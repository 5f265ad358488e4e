"""Task main: remove what tables keep of deleted rows beyond their retention."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.erasure.vacuum import vacuum
from finelake.jobs.task import begin, guarded, task_parser


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    made = task_parser("vacuum", does="Remove what tables keep of deleted rows beyond their retention.")
    made.add_argument("--raw", action="store_true", help="the raw table too")
    return made


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Vacuum every table that holds conversations; an error ends the task as failed."""
    task = begin(parser(), arguments)
    done = vacuum(task.spark, task.settings, raw=task.given.raw)
    logging.getLogger(__name__).info("vacuum tables=%d", len(done))


if __name__ == "__main__":
    main()
