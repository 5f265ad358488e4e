"""Find the defects of raw rows anew, from the rules of the job and without any help of the generator."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]

KNOWN_AUTHORS = {"customer", "agent", "system", "tool"}
MAX_MESSAGES = 400
MAX_CHARACTERS = 200_000
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
SPECIAL_TOKEN = re.compile(r"<\|\w+\|>")
SURROGATE = re.compile("[\ud800-\udfff]")


def defects_of(rows: list[Row]) -> set[str]:
    """Return the codes of all defects of one conversation, whose rows may be in any order."""
    found = set(_order(rows))
    if found & {"turn_index_missing", "turn_order_ambiguous", "turn_gap", "too_many_turns"}:
        return found
    turns = _sorted_without_copies(rows)
    found |= set(_text(turns))
    spoken = [row for row in turns if row["text"].strip() or row.get("tool_calls") or row["author"] == "tool"]
    if len(spoken) < len(turns):
        found.add("turn_empty")
    return found | set(_authors(spoken)) | set(_tools(spoken))


def normal_form(rows: list[Row]) -> str:
    """Return what two exact duplicates have in common: roles and texts without white space and letter case."""
    turns = _sorted_without_copies(rows)
    return json.dumps([[row["author"], "".join(row["text"].casefold().split())] for row in turns])


def _order(rows: list[Row]) -> Iterator[str]:
    indexes = [row["turn_index"] for row in rows]
    if None in indexes:
        yield "turn_index_missing"
        return
    for index, times in Counter(indexes).items():
        texts = {row["text"] for row in rows if row["turn_index"] == index}
        if times > 1:
            yield "turn_duplicate" if len(texts) == 1 else "turn_order_ambiguous"
    if set(indexes) != set(range(min(indexes), max(indexes) + 1)):
        yield "turn_gap"
    if len(set(indexes)) > MAX_MESSAGES:
        yield "too_many_turns"
    clock = [row["sent_at"] for row in _sorted_without_copies(rows)]
    if None not in clock and clock != sorted(clock):
        yield "turn_clock_skew"


def _sorted_without_copies(rows: list[Row]) -> list[Row]:
    first: dict[int, Row] = {}
    for row in sorted(rows, key=lambda row: (row["turn_index"], row["sent_at"] or "")):
        first.setdefault(row["turn_index"], row)
    return list(first.values())


def _text(turns: list[Row]) -> Iterator[str]:
    for row in turns:
        if SURROGATE.search(row["text"]):
            yield "text_invalid_unicode"
        if CONTROL.search(row["text"]):
            yield "text_control_characters"
        if SPECIAL_TOKEN.search(row["text"]):
            yield "text_special_token"
        if len(row["text"]) > MAX_CHARACTERS:
            yield "turn_too_long"


def _authors(turns: list[Row]) -> Iterator[str]:
    authors = [row["author"] for row in turns]
    if not KNOWN_AUTHORS.issuperset(authors):
        yield "author_unknown"
    prompts = [(at, row["text"]) for at, row in enumerate(turns) if row["author"] == "system"]
    if any(at > 0 for at, _ in prompts):
        yield "system_prompt_repeated" if len({text for _, text in prompts}) == 1 else "system_prompt_conflict"
    dialogue = [row for row in turns if row["author"] != "system"]
    yield from _speakers([row["author"] for row in dialogue])
    for before, after in itertools.pairwise(dialogue):
        calls = before.get("tool_calls") or after.get("tool_calls")
        if before["author"] == after["author"] != "tool" and not calls:
            yield "turn_merged"
    yield from _unanswered(dialogue)


def _speakers(authors: list[str]) -> Iterator[str]:
    if "customer" not in authors:
        yield "user_missing"
    elif authors[0] == "agent":
        yield "assistant_leading"
    if "agent" not in authors:
        yield "assistant_missing"


def _unanswered(dialogue: list[Row]) -> Iterator[str]:
    rest = list(dialogue)
    while rest and (rest[-1]["author"] == "tool" or rest[-1].get("tool_calls")):
        yield "tool_trailing"
        rest.pop()
    if len(rest) > 1 and rest[-1]["author"] == "customer":
        yield "user_trailing"


def _tools(turns: list[Row]) -> Iterator[str]:
    called: set[str] = set()
    for row in turns:
        for call in row.get("tool_calls", []):
            called.add(call["id"])
            if not _is_object(call["function"]["arguments"]):
                yield "tool_arguments_invalid"
    answered = {row["tool_call_id"] for row in turns if row["author"] == "tool"}
    if answered - called:
        yield "tool_result_without_call"
    if called - answered:
        yield "tool_call_without_result"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
