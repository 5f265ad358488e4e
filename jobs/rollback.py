"""Task main: let the alias stand for what it stood for before."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from finelake.jobs.task import start
from finelake.training.display.lines import LogProgress
from finelake.training.promotion.run import rollback


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one rollback; an error ends the task as failed."""
    spark, settings = start("rollback", arguments)
    done = rollback(spark, settings, progress=LogProgress())
    logging.getLogger(__name__).info("rollback alias=%s deployment=%s", done.entry.alias, done.entry.deployment)


if __name__ == "__main__":
    main()
