"""Task main: make a run's files again and compare them; ends with exit code 14 where they differ."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from finelake.jobs.task import start
from finelake.lineage.reproduce import EXIT_DIFFERENT, reproduce


def main(arguments: Sequence[str] | None = None) -> None:
    """Reproduce one run; an error ends the task as failed."""
    parser = argparse.ArgumentParser(prog="reproduce", add_help=False)
    parser.add_argument("--run", required=True, help="the run whose files are made again")
    parser.add_argument("--scratch", type=Path, help="scratch folder; default: one that is removed")
    parser.add_argument("--tables", help="scratch tables: a folder or catalog.schema")
    given, rest = parser.parse_known_args(arguments)
    spark, settings = start("reproduce", rest)
    found = reproduce(spark, settings, given.run, folder=given.scratch, tables=given.tables)
    logging.getLogger(__name__).info("reproduce run=%s equal=%s", found.run_id, found.equal)
    if not found.equal:
        sys.exit(EXIT_DIFFERENT)


if __name__ == "__main__":
    main()
