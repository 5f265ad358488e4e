"""`finelake prepare`: where the lines come from, and what became of them."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from finelake.cli.context import Context
from finelake.errors import InputError
from finelake.prepare import Prepared, RawLine, lines_of_files, prepare


def prepare_source(context: Context, source: str, *, column: str | None) -> Prepared:
    """Prepare files, or with `column` a Delta table. Raises InputError when there is nothing of that name."""
    if column is not None:
        return prepare(_lines_of_table(context, source, column), settings=context.settings, model=context.model)
    paths = [Path(path) for path in sorted(glob.glob(source))]
    if not paths:
        raise InputError(f"{source}: no such file. Give JSON Lines files, or a Delta table with --column.")
    return prepare(lines_of_files(paths), settings=context.settings, model=context.model)


def prepared_view(prepared: Prepared) -> RenderableType:
    """Show the outcome of every line, the reasons, and the files."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("file", "examples", "tokens", "bytes", "sha256"):
        table.add_column(heading)
    for file in prepared.files.values():
        table.add_row(file.file, f"{file.examples:,}", f"{file.tokens:,}", f"{file.bytes:,}", file.sha256[:16])
    counts = (
        f"{prepared.rows_in:,} lines: {prepared.kept:,} kept, {prepared.merged:,} merged with an equal one, "
        f"{prepared.quarantined:,} quarantined"
    )
    reasons = [Text(f"  {reason}  {count:,}") for reason, count in sorted(prepared.reasons.items())]
    return Group(Text(f"{prepared.method} files in {prepared.folder}", style="bold"), Text(counts), *reasons, table)


def _lines_of_table(context: Context, source: str, column: str) -> Iterator[RawLine]:
    from finelake.tables.names import source_ref
    from finelake.tables.reading import read_table

    table = source_ref(source)
    frame = read_table(context.spark, table)
    if column not in frame.columns:
        raise InputError(f"{table} has no column {column!r}; it has: {', '.join(frame.columns)}.")
    # Sorted, so that the order of the files does not depend on partitions.
    for number, row in enumerate(frame.select(column).orderBy(column).toLocalIterator(), start=1):
        yield RawLine(f"{table} sorted:{number}", str(row[0] or "").encode())
