"""Write the sample: raw turns, the truth about their planted defects, and the tool definitions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from finelake.errors import ConfigError, OutputError
from finelake.sample.conversation import write_conversation
from finelake.sample.defect import Finding
from finelake.sample.log import Entry, line_of
from finelake.sample.lookalikes import LOOKALIKES
from finelake.sample.phrasebook import Phrasebook, load_phrasebook
from finelake.sample.plan import LOOKALIKE_TIMES, PLAN, clean_conversations, smallest_sample
from finelake.sample.planted.replies import NEAR_MISS
from finelake.sample.tools import tool_definitions

RAW_TURNS = "raw_turns.jsonl"
TRUTH = "truth.jsonl"
TOOLS_FILE = "tools.json"
_LANGUAGE_WHEEL = ("en", "de", "ja", "en", "de", "en", "ja", "de", "en", "ja")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """All log entries in the order they arrived, and the findings about them."""

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    conversations: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFiles:
    """Where the sample was written, and how much: lines of the raw file, conversations, truth rows by defect."""

    raw_turns: Path
    truth: Path
    tools: Path
    lines: int
    conversations: int
    defects: dict[str, int]


def write_sample(folder: Path, *, seed: int = 7, conversations: int = 900) -> SampleFiles:
    """Write raw_turns.jsonl, truth.jsonl and tools.json into the folder, which is made when it is missing.

    The same seed and number give the same bytes on every machine. Raises ConfigError when the number leaves no room
    for the planted defects, OutputError when the folder cannot be written.
    """
    sample = generate_sample(seed=seed, conversations=conversations)
    truth = truth_rows(sample)
    raw_path, truth_path, tools_path = (folder / name for name in (RAW_TURNS, TRUTH, TOOLS_FILE))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_lines(raw_path, map(line_of, sample.entries))
        _write_lines(truth_path, (json.dumps(row, ensure_ascii=False) for row in truth))
        _write_lines(tools_path, [json.dumps(tool_definitions(), ensure_ascii=False, indent=2)])
    except OSError as error:
        raise OutputError(
            f"The sample could not be written to {folder}: {error.strerror}. Choose a folder you may write to."
        ) from error
    defects: dict[str, int] = {}
    for finding in sample.findings:
        defects[finding.defect] = defects.get(finding.defect, 0) + 1
    return SampleFiles(
        raw_turns=raw_path,
        truth=truth_path,
        tools=tools_path,
        lines=len(sample.entries),
        conversations=sample.conversations,
        defects=dict(sorted(defects.items())),
    )


def generate_sample(*, seed: int, conversations: int) -> Sample:
    """Write all conversations, plant the defects and put the rows in the order of their arrival."""
    if conversations < smallest_sample():
        raise ConfigError(
            f"The sample was asked for {conversations} conversations, but its planted defects need at least "
            f"{smallest_sample()}. Ask for that many or more."
        )
    books = [load_phrasebook(language) for language in _LANGUAGE_WHEEL]
    entries: list[Entry] = []
    findings: list[Finding] = []
    for written, found in _all_conversations(books, seed=seed, conversations=conversations):
        entries.extend(written)
        findings.extend(found)
    return Sample(entries=_by_arrival(entries), findings=tuple(findings), conversations=conversations)


def truth_rows(sample: Sample) -> list[dict[str, object]]:
    """Return one row a finding: conversation, turn indexes, defect, outcome, rows affected, line numbers from 1.

    Of a quarantined conversation and of a repeated one all rows are affected, else those trimmed, merged or noted.
    """
    line_of_entry = {id(entry): line for line, entry in enumerate(sample.entries, start=1)}
    return [_truth_row(finding, line_of_entry) for finding in sample.findings]


def _truth_row(finding: Finding, line_of_entry: dict[int, int]) -> dict[str, object]:
    rows = [entry.row for entry in finding.entries if entry.broken is None]
    row: dict[str, object] = {
        "conversation_id": rows[0].get("conversation_id") if rows else None,
        "turn_indexes": [found["turn_index"] for found in rows],
        "defect": finding.defect,
        "outcome": finding.outcome,
        "rows": len(finding.entries),
        "lines": sorted(line_of_entry[id(entry)] for entry in finding.entries),
    }
    return row | ({"kept_id": finding.kept_id} if finding.kept_id is not None else {})


def _all_conversations(
    books: list[Phrasebook], *, seed: int, conversations: int
) -> Iterator[tuple[list[Entry], list[Finding]]]:
    clean = clean_conversations(conversations)
    for number in range(clean):
        rng = Random(f"{seed}/clean/{number}")
        entries = write_conversation(f"c-{number:05d}", book=books[number % len(books)], rng=rng)
        if number < LOOKALIKE_TIMES * len(LOOKALIKES):
            LOOKALIKES[number % len(LOOKALIKES)](entries, rng)
        yield entries, []
    number = clean
    for planting in PLAN:
        for turn in range(planting.times):
            rng = Random(f"{seed}/{planting.plant.__name__}/{turn}")
            book = _book(books, number, planting.language)
            name = f"c-{number:05d}{NEAR_MISS if planting.near_miss else ''}"
            entries = write_conversation(name, book=book, rng=rng, wish=planting.wish)
            findings = planting.plant(entries, rng, book)
            number += 1
            yield entries, findings


def _book(books: list[Phrasebook], number: int, language: str | None) -> Phrasebook:
    if language is None:
        return books[number % len(books)]
    return next(book for book in books if book.language == language)


def _by_arrival(entries: list[Entry]) -> tuple[Entry, ...]:
    numbered = sorted(enumerate(entries), key=lambda pair: (pair[1].arrived, pair[0]))
    return tuple(entry for _, entry in numbered)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
