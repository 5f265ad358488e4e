"""`finelake prepare`: what became of the lines."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from finelake.prepare import Prepared


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
