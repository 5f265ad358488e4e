"""Defects of the text of a turn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count, islice
from random import Random

from finelake.sample.defect import Finding
from finelake.sample.log import Entry, Row, moment_of, text_of
from finelake.sample.phrasebook import Phrasebook
from finelake.sample.planted.edit import positions

CONTROL_CHARACTERS = ("\u0000", "\u0007", "\u001b[31m", "\u0008", "\u009f")
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|fim_prefix|>", "<|endofprompt|>", "<|im_end|>")
LONE_SURROGATES = ("\ud83d", "\ude00", "\udcff")
EXPORT_LINES = 5200


def text_invalid_unicode(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Put half of a surrogate pair into a turn, as software does that cuts text by UTF-16 units."""
    return _into_text(entries, "text_invalid_unicode", rng.choice(LONE_SURROGATES), rng)


def text_control_characters(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Put a control character into a turn, as a terminal or a C program leaves it."""
    return _into_text(entries, "text_control_characters", rng.choice(CONTROL_CHARACTERS), rng)


def text_special_token(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Let the customer type one of the tokens that steer a model."""
    return _into_text(entries, "text_special_token", rng.choice(SPECIAL_TOKENS), rng)


def turn_too_long(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Let the customer paste a ride export of about 230 kB, more than a hundred thousand tokens."""
    at = positions(entries, "customer")[0]
    lines = islice(export_lines(entries[at].row, rng), EXPORT_LINES)
    entries[at].row["text"] = text_of(entries[at].row) + "\n" + "\n".join(lines)
    return [Finding(defect="turn_too_long", entries=tuple(entries))]


def export_lines(row: Row, rng: Random) -> Iterator[str]:
    """Write lines of a ride export without end, back in time from a row's moment."""
    start = moment_of(row)
    return (_export_line(start - timedelta(minutes=37 * number), rng) for number in count())


def _export_line(moment: datetime, rng: Random) -> str:
    bays = f"{rng.randint(100, 999)};{rng.randint(100, 999)}"
    return f"{moment:%Y-%m-%dT%H:%M};{rng.randint(1000, 9899)};{bays};{rng.randint(4, 88)} min;{rng.random():.6f}"


def _into_text(entries: list[Entry], defect: str, piece: str, rng: Random) -> list[Finding]:
    row = entries[rng.choice(positions(entries, "customer"))].row
    text = text_of(row)
    row["text"] = rng.choice((f"{text} {piece}", f"{piece} {text}"))
    return [Finding(defect=defect, entries=tuple(entries))]
