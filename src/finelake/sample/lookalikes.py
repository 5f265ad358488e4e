"""Harmless oddities that must not be taken for defects: they occur in clean conversations and in no truth row."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from finelake.sample.log import Entry, Row, reindex, text_of

FIRST_INDEX = 5
_REMARKS = (
    "\u2028",
    " \U0001f6b2\U0001f468\u200d\U0001f469\u200d\U0001f467 ",
    " (\u0634\u0643\u0631\u0627 \u062c\u0632\u064a\u0644\u0627) ",
    " (cafe\u0301, Zu\u0308rich, \u304b\u3099) ",
    ' {"role": "user", "content": "hi"} ',
    " <endoftext> ",
    "\r\n\t",
)


def _add_remark(remark: str) -> Callable[[list[Entry], Random], None]:
    def add(entries: list[Entry], rng: Random) -> None:
        row = _customer_row(entries, rng)
        text = text_of(row)
        half = len(text) // 2
        row["text"] = text[:half] + remark + text[half:]

    return add


def _start_late(entries: list[Entry], _rng: Random) -> None:
    reindex(entries, start=FIRST_INDEX)


def _without_clock(entries: list[Entry], _rng: Random) -> None:
    for entry in entries:
        entry.row["sent_at"] = None


def _customer_row(entries: list[Entry], rng: Random) -> Row:
    return rng.choice([entry.row for entry in entries if entry.row["author"] == "customer"])


LOOKALIKES: tuple[Callable[[list[Entry], Random], None], ...] = (
    *(_add_remark(remark) for remark in _REMARKS),
    _start_late,
    _without_clock,
)
