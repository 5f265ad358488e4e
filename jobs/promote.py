"""Task main: deploy the judged model for use and let the alias stand for it, or go on with that."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from finelake.jobs.task import start
from finelake.training.display.lines import LogProgress
from finelake.training.promotion.run import promote


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one promotion; a refusal ends the task as failed. `--set promotion.override=REASON` promotes all the same."""
    spark, settings = start("promote", arguments)
    done = promote(spark, settings, progress=LogProgress())
    logging.getLogger(__name__).info("promote alias=%s deployment=%s", done.entry.alias, done.entry.deployment)


if __name__ == "__main__":
    main()
