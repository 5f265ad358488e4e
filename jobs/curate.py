"""Task main: curate the source table and publish the splits."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.curate import curate
from finelake.databricks.task_values import publish_values
from finelake.jobs.task import begin, guarded, task_parser


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    return task_parser("curate", does="Curate the source table and publish the splits.")


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Run one curation; an error ends the task as failed."""
    task = begin(parser(), arguments)
    curation = curate(task.spark, task.settings)
    logging.getLogger(__name__).info("curate run=%s balance=%s", curation.run_id, curation.balance.as_dict())
    publish_values({"run_id": curation.run_id, "examples": curation.balance.examples})


if __name__ == "__main__":
    main()
