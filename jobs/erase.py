"""Task main: erase the conversations that a table of requests names."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.erasure.erase import erase
from finelake.jobs.task import begin, guarded, task_parser


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    made = task_parser("erase", does="Erase the conversations that a table of requests names.")
    made.add_argument("--requests", required=True, help="Delta table with a column conversation_id or user_id")
    made.add_argument("--raw", action="store_true", help="delete the rows of the raw table too")
    return made


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Erase what was not erased before; an error ends the task as failed."""
    task = begin(parser(), arguments)
    given = task.given
    if not erase(task.spark, task.settings, requests=given.requests, reference=given.requests, raw=given.raw):
        logging.getLogger(__name__).info("erase: nothing is left to do")


if __name__ == "__main__":
    main()
