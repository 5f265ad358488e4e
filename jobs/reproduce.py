"""Task main: make a run's files again and compare them; ends with exit code 14 where they differ."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from finelake.jobs.task import begin, guarded, task_parser
from finelake.lineage.reproduce import EXIT_DIFFERENT, reproduce


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    made = task_parser("reproduce", does="Make a run's files again and compare them.")
    made.add_argument("--run", required=True, help="the run whose files are made again")
    made.add_argument("--scratch", type=Path, help="scratch folder; default: one that is removed")
    made.add_argument("--tables", help="scratch tables: a folder or catalog.schema")
    return made


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Reproduce one run; an error ends the task as failed."""
    task = begin(parser(), arguments)
    given = task.given
    found = reproduce(task.spark, task.settings, given.run, folder=given.scratch, tables=given.tables)
    logging.getLogger(__name__).info("reproduce run=%s equal=%s", found.run_id, found.equal)
    if not found.equal:
        sys.exit(EXIT_DIFFERENT)


if __name__ == "__main__":
    main()
