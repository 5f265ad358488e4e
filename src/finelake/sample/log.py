"""The raw log: entries in the order they arrived, and the JSONL text they are written as."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Row: TypeAlias = dict[str, object]

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(eq=False, kw_only=True, slots=True)
class Entry:
    """One line of the log: a row, or `broken` text that is not JSON; `arrived` decides its place in the file."""

    arrived: datetime
    row: Row = field(default_factory=dict)
    broken: str | None = None


def iso(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with a Z."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def moment_of(row: Row) -> datetime:
    """Read a row's `sent_at`."""
    return datetime.fromisoformat(str(row["sent_at"]))


def shift(row: Row, seconds: float) -> None:
    """Move a row's `sent_at` by some seconds."""
    row["sent_at"] = iso(moment_of(row) + timedelta(seconds=seconds))


def text_of(row: Row) -> str:
    """Return a row's text."""
    return str(row["text"])


def reindex(entries: Iterable[Entry], *, start: int = 0) -> None:
    """Number the turns without a gap in the order given."""
    for index, entry in enumerate(entries, start=start):
        entry.row["turn_index"] = index


def line_of(entry: Entry) -> str:
    """Write an entry as one JSONL line: text as it is, except lone surrogates, which only an escape can hold."""
    if entry.broken is not None:
        return entry.broken
    text = json.dumps(entry.row, ensure_ascii=False, separators=(",", ":"))
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
