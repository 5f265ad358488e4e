"""Preference or reinforcement lines from where they are: JSON Lines files, or a column of a Delta table."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from finelake.config.models import ModelInfo
from finelake.config.settings import Settings
from finelake.errors import InputError
from finelake.prepare import Prepared, RawLine, lines_of_files, prepare

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def prepare_source(
    source: str,
    *,
    column: str | None,
    settings: Settings,
    model: ModelInfo,
    session: Callable[[], SparkSession],
) -> Prepared:
    """Prepare files (a path or glob), or with `column` a Delta table, for which alone a session is asked.

    Raises InputError when there is nothing of that name, and what `prepare` raises.
    """
    if column is not None:
        return prepare(_lines_of_table(session(), source, column), settings=settings, model=model)
    paths = [Path(path) for path in sorted(glob.glob(source))]
    if not paths:
        raise InputError(f"{source}: no such file. Give JSON Lines files, or a Delta table with --column.")
    return prepare(lines_of_files(paths), settings=settings, model=model)


def _lines_of_table(spark: SparkSession, source: str, column: str) -> Iterator[RawLine]:
    from finelake.tables.names import source_ref
    from finelake.tables.reading import read_table

    table = source_ref(source)
    frame = read_table(spark, table)
    if column not in frame.columns:
        raise InputError(f"{table} has no column {column!r}; it has: {', '.join(frame.columns)}.")
    # Sorted, so that the order of the files does not depend on partitions.
    for number, row in enumerate(frame.select(column).orderBy(column).toLocalIterator(), start=1):
        yield RawLine(f"{table} sorted:{number}", str(row[0] or "").encode())
