"""Defects of order and identity: ids, indexes, timestamps, duplicates, length of the conversation."""

from __future__ import annotations

from random import Random

from finelake.sample.defect import Finding
from finelake.sample.log import Entry, line_of, text_of
from finelake.sample.phrasebook import Phrasebook
from finelake.sample.planted.edit import copy_of, insert, last_moment_before, positions

COUNTING_DOCKS = 202


def turn_duplicate(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Deliver one row twice, half of the time with a later timestamp, as a retrying sender does."""
    at = rng.choice(positions(entries, rng.choice(("customer", "agent"))))
    copy = copy_of(entries[at], seconds=rng.choice((0, 2)))
    entries.insert(at + 1, copy)
    return [Finding(defect="turn_duplicate", entries=(copy,))]


def turn_order_ambiguous(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Give two different rows of one author the same index and timestamp."""
    at = rng.choice(positions(entries, "customer"))
    copy = copy_of(entries[at])
    copy.row["text"] = book.data["common"]["lead"][-1].strip()
    entries.insert(at + 1, copy)
    return [Finding(defect="turn_order_ambiguous", entries=tuple(entries))]


def turn_index_missing(entries: list[Entry], _rng: Random, _book: Phrasebook) -> list[Finding]:
    """Take index and timestamp from the last turn."""
    entries[-1].row["turn_index"] = None
    entries[-1].row["sent_at"] = None
    return [Finding(defect="turn_index_missing", entries=tuple(entries))]


def turn_gap(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Lose a question together with its answer, so that only the numbering shows the loss."""
    at = rng.choice(positions(entries, "customer")[1:-1])
    del entries[at : at + 2]
    return [Finding(defect="turn_gap", entries=tuple(entries))]


def turn_clock_skew(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Let one turn's clock be far behind that of the turn before it."""
    at = rng.choice(positions(entries, "agent"))
    last_moment_before(entries, at, seconds=rng.randint(600, 4000))
    return [Finding(defect="turn_clock_skew", entries=(entries[at],))]


def too_many_turns(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Go on for hundreds of turns: the customer counts free docks and the agent confirms each number."""
    place = rng.choice(book.data["places"])
    for number in range(COUNTING_DOCKS):
        said = f"{place} {number + 1}: {rng.randint(0, 24)}"
        insert(entries, len(entries), author="customer", text=said, origin="human")
        insert(entries, len(entries), author="agent", text=f"OK, {said}", origin="template")
    return [Finding(defect="too_many_turns", entries=tuple(entries))]


def conversation_id_missing(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Keep one row only, without the conversation it belongs to."""
    row = entries[rng.choice(positions(entries, "customer"))]
    entries[:] = [row]
    if rng.random() < 0.5:
        del row.row["conversation_id"]
    else:
        row.row["conversation_id"] = None
    return [Finding(defect="conversation_id_missing", entries=(row,))]


def row_not_json(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Keep one line only, and break it off in the middle, as a full disk does."""
    entry = entries[rng.choice(positions(entries, "customer"))]
    line = line_of(entry)
    entries[:] = [entry]
    entry.broken = line[: rng.randint(30, len(line) - 10)]
    return [Finding(defect="row_not_json", entries=(entry,))]


def duplicate_exact(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Repeat the whole conversation some hours later under another id, with other white space and letter case."""
    kept_id = str(entries[0].row["conversation_id"])
    delay = rng.randint(3600, 90000)
    copies = [copy_of(entry, seconds=delay) for entry in entries]
    for copy in copies:
        copy.row["conversation_id"] = f"{kept_id}-r"
        if copy.row["author"] != "system":
            copy.row["text"] = _restyle(text_of(copy.row), rng)
    entries.extend(copies)
    return [Finding(defect="duplicate_exact", entries=tuple(copies), kept_id=kept_id)]


def _restyle(text: str, rng: Random) -> str:
    style = rng.randrange(3)
    if style == 0:
        return "".join(letter.swapcase() if letter.isascii() else letter for letter in text)
    if style == 1:
        return text.replace(" ", "  ") + "\n"
    return f"  {text}\t"
