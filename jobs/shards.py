"""Task main: write the curated splits as Parquet shards for training open models."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from finelake.huggingface.publishing import publish_shards
from finelake.jobs.task import begin, guarded, task_parser


def parser() -> argparse.ArgumentParser:
    """Give the task's parser."""
    return task_parser("shards", does="Write the curated splits as Parquet shards.")


@guarded
def main(arguments: Sequence[str] | None = None) -> None:
    """Write the shards; an error ends the task as failed."""
    task = begin(parser(), arguments)
    manifest = publish_shards(task.spark, task.settings)
    rows = {split: found["rows"] for split, found in manifest["splits"].items()}
    logging.getLogger(__name__).info(
        "shards run=%s rows=%s folder=%s", manifest["run_id"], rows, task.settings.shards.folder
    )


if __name__ == "__main__":
    main()
