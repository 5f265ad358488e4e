"""Task main: erase the conversations that a table of requests names."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.erasure.erase import erase
from finelake.erasure.wanted import wanted
from finelake.jobs.task import start


def main(arguments: Sequence[str] | None = None) -> None:
    """Erase what was not erased before; an error ends the task as failed."""
    parser = argparse.ArgumentParser(prog="erase", add_help=False)
    parser.add_argument("--requests", required=True, help="Delta table with a column conversation_id or user_id")
    parser.add_argument("--raw", action="store_true", help="delete the rows of the raw table too")
    given, rest = parser.parse_known_args(arguments)
    spark, settings = start("erase", rest)
    ids = wanted(spark, settings, requests=given.requests)
    if not ids:
        logging.getLogger(__name__).info("erase: nothing is left to do")
        return
    done = erase(spark, settings, ids, reference=given.requests, raw=given.raw)
    logging.getLogger(__name__).info("erase request=%s conversations=%d", done.request, done.conversations)


if __name__ == "__main__":
    main()
