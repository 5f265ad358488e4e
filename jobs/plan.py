"""Task main: say before spending what training will come to, and refuse what is known to fail."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.jobs.task import begin, guarded, task_parser
from finelake.training.plan.run import plan_job, summary


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    return task_parser("plan", does="Say what training will come to, and refuse what is known to fail.")


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Make one plan; a breach ends the task as failed and names it."""
    logger = logging.getLogger(__name__)
    plan = plan_job(begin(parser(), arguments).settings)
    for group, finding in plan.findings:
        logger.info("plan %s %s %s: %s. %s", finding.verdict, group, finding.check, finding.found, finding.remedy)
    plan.require()
    logger.info("plan %s", summary(plan))


if __name__ == "__main__":
    main()
