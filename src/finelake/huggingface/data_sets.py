"""Curated examples as Hugging Face data sets: a stream of any size, or in memory what is small."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame

from finelake.errors import InputError
from finelake.huggingface.stream import Stream

SMALL = 100_000


def streamed(stream: Stream) -> Any:
    """Give a stream as a `datasets.IterableDataset`, for libraries that ask for one."""
    from datasets import IterableDataset

    return IterableDataset.from_generator(_examples, gen_kwargs={"stream": stream})


def small(examples: DataFrame, *, split: str, at_most: int = SMALL) -> Any:
    """Give a split of the examples table as a `datasets.Dataset` with columns conversation_id, line, tokens.

    Spark's workers write the data set's files; on a cluster its cache must be a folder that all see. It needs a
    classic session. Raises InputError for more than `at_most` examples.
    """
    from datasets import Dataset

    chosen = examples.where(examples["split"] == split)
    found = chosen.limit(at_most + 1).count()
    if found > at_most:
        raise InputError(
            f"Split {split} has more than {at_most} examples, which do not belong in one data set. Write shards with "
            "`finelake shards` and stream them."
        )
    return Dataset.from_spark(chosen.orderBy("sort_key", "conversation_id", "window").select(*_COLUMNS))


_COLUMNS = ("conversation_id", "line", "tokens")


def _examples(stream: Stream) -> Any:
    yield from stream
