"""Task main: deploy the judged model for use and let the alias stand for it, or go on with that."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.errors import PromotionRefusedError
from finelake.jobs.task import begin, guarded, task_parser
from finelake.training.display.lines import LogProgress
from finelake.training.promotion.run import promote


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    made = task_parser("promote", does="Deploy the judged model for use and let the alias stand for it.")
    made.add_argument("--run", help="the training run; default: the one that the configuration stands for")
    made.add_argument("--override", metavar="REASON", help="promote without the verdict promote; the reason is kept")
    made.add_argument("--take-over", action="store_true", help="take the alias from a promotion that seems alive")
    made.add_argument(
        "--end-normally", action="store_true", help="do nothing and end with 0 where the verdict is not promote"
    )
    return made


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Run one promotion; a refusal ends the task as failed, or normally with --end-normally."""
    task, logger = begin(parser(), arguments), logging.getLogger(__name__)
    promotion = task.settings.promotion.with_options(override=task.given.override or None)
    try:
        done = promote(
            task.spark,
            task.settings.model_copy(update={"promotion": promotion}),
            run=task.given.run,
            progress=LogProgress(),
            take_over=task.given.take_over,
        )
    except PromotionRefusedError as refusal:
        if not task.given.end_normally:
            raise
        logger.warning("promote did nothing: %s", refusal)
        return
    logger.info("promote alias=%s deployment=%s", done.entry.alias, done.entry.deployment)


if __name__ == "__main__":
    main()
