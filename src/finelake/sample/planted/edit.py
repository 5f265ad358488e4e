"""Small edits of a conversation's entries that the defects share."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta

from finelake.sample.log import Entry, Row, moment_of, reindex, shift


def positions(entries: list[Entry], author: str) -> list[int]:
    """Return where an author's plain texts stand; tool calls are left out."""
    return [at for at, entry in enumerate(entries) if entry.row["author"] == author and "tool_calls" not in entry.row]


def copy_of(entry: Entry, *, seconds: float = 0) -> Entry:
    """Return a copy of an entry, sent and arrived some seconds later."""
    row = deepcopy(entry.row)
    shift(row, seconds)
    return Entry(arrived=entry.arrived + timedelta(seconds=seconds), row=row)


def insert(entries: list[Entry], at: int, **values: object) -> Entry:
    """Insert a row at a position, sent one second after the row before it, and number all turns anew.

    At position 0 it is sent one second before the row that was first. Keys set to None are left out.
    """
    model = entries[at - 1] if at else entries[0]
    base: Row = {key: model.row[key] for key in ("conversation_id", "user_id", "language", "topic", "sent_at")}
    row = base | {key: value for key, value in values.items() if value is not None}
    shift(row, 1 if at else -1)
    entry = Entry(arrived=model.arrived, row=row)
    entries.insert(at, entry)
    reindex(entries)
    return entry


def remove(entries: list[Entry], at: int) -> Entry:
    """Take a row out and number the remaining turns anew."""
    entry = entries.pop(at)
    reindex(entries)
    return entry


def last_moment_before(entries: list[Entry], at: int, *, seconds: float) -> None:
    """Date a row to some seconds before the row in front of it."""
    shift(entries[at].row, (moment_of(entries[at - 1].row) - moment_of(entries[at].row)).total_seconds() - seconds)
