"""Task main: curate the source table and publish the splits."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from finelake.curate import curate
from finelake.jobs.task import start


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one curation; an error ends the task as failed."""
    spark, settings = start("curate", arguments)
    curation = curate(spark, settings)
    logging.getLogger(__name__).info("curate run=%s balance=%s", curation.run_id, curation.balance.as_dict())


if __name__ == "__main__":
    main()
