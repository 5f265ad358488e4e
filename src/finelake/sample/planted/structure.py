"""Defects of structure: who speaks when, system prompts, tool calls and their results."""

from __future__ import annotations

from random import Random

from finelake.sample.defect import Finding
from finelake.sample.log import Entry, reindex, text_of
from finelake.sample.phrasebook import Phrasebook
from finelake.sample.planted.edit import insert, positions, remove

UNKNOWN_AUTHORS = ("supervisor", "qa_bot", "survey", "crm-sync")
BROKEN_ARGUMENTS = ('{"order_number": "LW-', "[]", "order LW-48213", "", '"LW-48213"', "{'order_number': 'LW-48213'}")


def author_unknown(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Insert a note by somebody whom the role map does not know."""
    at = rng.choice(positions(entries, "agent"))
    insert(entries, at, author=rng.choice(UNKNOWN_AUTHORS), text=book.text("supervisor_note"))
    return [Finding(defect="author_unknown", entries=tuple(entries))]


def turn_empty(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Insert a turn without text after the customer's, as an attachment leaves it."""
    at = rng.choice(positions(entries, "customer")) + 1
    empty = insert(entries, at, author="customer", text=rng.choice(("", " ", "\n\t ")), origin="human")
    return [Finding(defect="turn_empty", entries=(empty,))]


def turn_merged(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Send a text as two messages of the same author."""
    author = rng.choice(("customer", "agent"))
    at = rng.choice(positions(entries, author))
    parts = _halves(text_of(entries[at].row))
    if not parts:
        parts = (text_of(entries[at].row), str(book.data["common"]["smalltalk"][0][0]).strip("[]").split("|")[0])
    entries[at].row["text"] = parts[0]
    second = insert(entries, at + 1, author=author, text=parts[1], origin="human")
    if author == "agent":
        second.row["agent_id"] = entries[at].row["agent_id"]
    return [Finding(defect="turn_merged", entries=(second,))]


def assistant_leading(entries: list[Entry], _rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the agent speak first, as a chat window does."""
    at = 1 if entries[0].row["author"] == "system" else 0
    greeting = insert(entries, at, author="agent", text=book.phrases("hello")[0], origin="template")
    return [Finding(defect="assistant_leading", entries=(greeting,))]


def user_trailing(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the customer have the last word."""
    text = rng.choice(book.data["common"]["smalltalk"])[0].strip("[]").split("|")[0]
    last = insert(entries, len(entries), author="customer", text=text, origin="human")
    return [Finding(defect="user_trailing", entries=(last,))]


def tool_trailing(entries: list[Entry], _rng: Random, _book: Phrasebook) -> list[Finding]:
    """Break off after the tools' results; the message that led to the call is then left without a reply too."""
    start = next(at for at, entry in enumerate(entries) if "tool_calls" in entry.row)
    last = max(positions(entries, "tool"))
    del entries[last + 1 :]
    return [
        Finding(defect="tool_trailing", entries=tuple(entries[start:])),
        Finding(defect="user_trailing", entries=(entries[start - 1],)),
    ]


def system_prompt_repeated(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Send the same system prompt once more in mid-conversation."""
    at = rng.choice(positions(entries, "customer")[1:])
    again = insert(entries, at, author="system", text=book.text("system"), origin="template")
    return [Finding(defect="system_prompt_repeated", entries=(again,))]


def system_prompt_conflict(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Send another system prompt in mid-conversation."""
    at = rng.choice(positions(entries, "customer")[1:])
    insert(entries, at, author="system", text=book.text("other_system"), origin="template")
    return [Finding(defect="system_prompt_conflict", entries=tuple(entries))]


def tool_result_without_call(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Insert the result of a tool that nobody called."""
    at = rng.choice(positions(entries, "agent"))
    insert(entries, at, author="tool", text='{"status": "ok"}', tool_call_id=f"call_{rng.randint(70, 99)}")
    return [Finding(defect="tool_result_without_call", entries=tuple(entries))]


def tool_call_without_result(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Lose the result of a tool call."""
    remove(entries, rng.choice(positions(entries, "tool")))
    return [Finding(defect="tool_call_without_result", entries=tuple(entries))]


def tool_arguments_invalid(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Break the arguments of a tool call, so that they are not a JSON object."""
    call = next(entry.row["tool_calls"] for entry in entries if "tool_calls" in entry.row)
    match call:
        case [{"function": dict(function)}, *_]:
            function["arguments"] = rng.choice(BROKEN_ARGUMENTS)
    return [Finding(defect="tool_arguments_invalid", entries=tuple(entries))]


def user_missing(entries: list[Entry], _rng: Random, _book: Phrasebook) -> list[Finding]:
    """Keep the system prompt and one message of the agent, which nobody asked for."""
    entries[:] = [*_of(entries, "system"), entries[-1]]
    reindex(entries)
    return [Finding(defect="user_missing", entries=tuple(entries))]


def assistant_missing(entries: list[Entry], _rng: Random, _book: Phrasebook) -> list[Finding]:
    """Keep the system prompt and the customer's first question, which nobody answered."""
    entries[:] = [*_of(entries, "system"), entries[positions(entries, "customer")[0]]]
    reindex(entries)
    return [Finding(defect="assistant_missing", entries=tuple(entries))]


def _of(entries: list[Entry], author: str) -> list[Entry]:
    return [entry for entry in entries if entry.row["author"] == author]


def _halves(text: str) -> tuple[str, str] | None:
    for mark in (". ", "? ", "! ", "。", "\uff1f"):
        head, found, tail = text.partition(mark)
        if found and tail.strip():
            return head + mark.strip(), tail
    return None
