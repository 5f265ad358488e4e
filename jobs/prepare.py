"""Task main: check, split and publish preference or reinforcement lines."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.config.catalogue import catalogue_of
from finelake.jobs.task import begin, guarded, task_parser
from finelake.prepare_source import prepare_source


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    made = task_parser("prepare", does="Check, split and publish preference or reinforcement lines.")
    made.add_argument("source", help="JSON Lines files (a path or glob), or with --column a Delta table")
    made.add_argument("--column", help="the column of the table that holds the lines")
    return made


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare one set of files; an error ends the task as failed."""
    task = begin(parser(), arguments)
    catalogue = catalogue_of(task.settings)
    prepared = prepare_source(
        task.given.source,
        column=task.given.column,
        settings=task.settings,
        model=catalogue.find(task.settings.model),
        session=lambda: task.spark,
    )
    logging.getLogger(__name__).info(
        "prepare method=%s kept=%d merged=%d quarantined=%d",
        prepared.method,
        prepared.kept,
        prepared.merged,
        prepared.quarantined,
    )


if __name__ == "__main__":
    main()
