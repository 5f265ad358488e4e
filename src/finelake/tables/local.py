"""Frames of rows that the driver sends along: bounded, since Databricks refuses those of more than 128 MB."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from finelake.databricks.limits import LOCAL_FRAME_BYTES
from finelake.errors import OutputError

_FIXED = 8


def local_frame(spark: SparkSession, data: Any, schema: Any = None) -> DataFrame:
    """Make a frame of rows or of an Arrow table. Raises OutputError for more than Databricks takes.

    The size of rows is that of their texts and numbers, which is a little less than what travels.
    """
    size = data.get_total_buffer_size() if isinstance(data, pa.Table) else size_of(data)
    if size > LOCAL_FRAME_BYTES:
        raise OutputError(
            f"{size:,} bytes of rows would be sent from the driver; Databricks takes {LOCAL_FRAME_BYTES:,}. Lower the "
            f"limit of the step that gathers them (for example evaluation.max_examples, topics.sample)."
        )
    return spark.createDataFrame(data, schema)


def size_of(value: Any) -> int:
    """Add up the bytes of texts, and eight for anything else, in rows of any depth."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    if isinstance(value, dict):
        return sum(map(size_of, value.values())) + sum(map(size_of, value))
    if isinstance(value, Sequence) or (isinstance(value, Iterable) and hasattr(value, "__len__")):
        return sum(map(size_of, value))
    return _FIXED
