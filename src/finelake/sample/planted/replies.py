"""Defects of replies: an exchange is added whose reply one rule should find, or a reply that only looks like one."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from finelake.sample.defect import Finding
from finelake.sample.log import Entry, text_of
from finelake.sample.phrasebook import Phrasebook
from finelake.sample.planted.edit import insert, positions, remove
from finelake.sample.planted.text import export_lines

Plant = Callable[[list[Entry], Random, Phrasebook], list[Finding]]

NEAR_MISS = "-n"
"""What the ids of conversations end in that hold a near miss."""
_COUNTS = 101
_RATIO, _NEAR_RATIO = 14, 4


def said(rule: str) -> Plant:
    """Plant a reply that the phrase file has for the rule."""

    def plant(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
        return [_finding(rule, add_exchange(entries, rng, book, rng.choice(_phrases()[rule][book.language])))]

    plant.__name__ = f"reply_{rule}"
    return plant


def nearly(rule: str) -> Plant:
    """Add a reply that the rule should not find, nor any other."""

    def plant(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
        add_exchange(entries, rng, book, rng.choice(_phrases()["near"][rule][book.language]))
        return []

    plant.__name__ = f"near_{rule}"
    return plant


def add_exchange(entries: list[Entry], rng: Random, book: Phrasebook, reply: str, ask: str | None = None) -> Entry:
    """Let the customer ask one thing more, and the agent say the reply; return the reply."""
    question = ask or rng.choice(_phrases()["ask"][book.language])
    agent = entries[positions(entries, "agent")[-1]].row.get("agent_id")
    insert(entries, len(entries), author="customer", text=question, origin="human")
    return insert(entries, len(entries), author="agent", text=reply, origin="human", agent_id=agent)


def reply_prompt_leak(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the agent tell its system prompt."""
    return [_finding("prompt_leak", add_exchange(entries, rng, book, book.text("system")))]


def near_prompt_leak(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the agent use a few of the prompt's words."""
    prompt = book.text("system")
    part = prompt[:14] if book.language == "ja" else " ".join(prompt.split()[:7])
    add_exchange(entries, rng, book, f"{part}.")
    return []


def reply_echo(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the agent say what the customer says."""
    ask = rng.choice(_phrases()["ask"][book.language])
    return [_finding("echo", add_exchange(entries, rng, book, ask, ask))]


def near_echo(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the agent take up the question and answer it."""
    ask = rng.choice(_phrases()["ask"][book.language])
    near = _phrases()["near"]["symbols"][book.language][0]
    add_exchange(entries, rng, book, f"{ask} {near}", ask)
    return []


def reply_repeated_reply(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the agent say once more what it said at last."""
    again = text_of(entries[positions(entries, "agent")[-1]].row)
    return [_finding("repeated_reply", add_exchange(entries, rng, book, again))]


def near_repeated_reply(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the agent say one short thing twice."""
    short = _phrases()["near"]["repeated_reply"][book.language][0]
    for ask in rng.sample(_phrases()["ask"][book.language], 2):
        add_exchange(entries, rng, book, short, ask)
    return []


def reply_length_ratio(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Let the customer paste far more than the agent ever writes."""
    _paste(entries, rng, times=_RATIO)
    return [Finding(defect="reply_length_ratio", entries=tuple(entries))]


def near_length_ratio(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Let the customer paste some times what the agent writes."""
    _paste(entries, rng, times=_NEAR_RATIO)
    return []


def reply_turn_count(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let the customer count free docks, and the agent nod, beyond what a conversation has."""
    _count(entries, rng, book, times=_COUNTS)
    return [Finding(defect="reply_turn_count", entries=tuple(entries))]


def near_turn_count(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Let a conversation become long, but not too long."""
    _count(entries, rng, book, times=_COUNTS // 2)
    return []


def reply_tool_undefined(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Let the agent call a tool that the definitions do not have."""
    entry, function = _first_call(entries)
    function["name"] = rng.choice(("ask_oracle", "lookup_parcel", "send_telegram"))
    return [_finding("tool_undefined", entry)]


def reply_tool_arguments(entries: list[Entry], rng: Random, _book: Phrasebook) -> list[Finding]:
    """Let the agent call a tool with an argument of the wrong type, or without one that is required."""
    entry, function = _first_call(entries)
    arguments = json.loads(function["arguments"])
    name = sorted(arguments)[0]
    if rng.random() < 0.5:
        arguments[name] = [arguments[name]]
    else:
        del arguments[name]
    function["arguments"] = json.dumps(arguments, ensure_ascii=False)
    return [_finding("tool_arguments", entry)]


def near_tools(entries: list[Entry], _rng: Random, _book: Phrasebook) -> list[Finding]:
    """Write a call's arguments with other white space."""
    _entry, function = _first_call(entries)
    function["arguments"] = json.dumps(json.loads(function["arguments"]), ensure_ascii=False, indent=1)
    return []


def replies_untrained(entries: list[Entry], rng: Random, book: Phrasebook) -> list[Finding]:
    """Leave one reply alone, which must not be trained."""
    while len(places := positions(entries, "agent")) > 1:
        remove(entries, places[-1])
        remove(entries, positions(entries, "customer")[-1])
    reply = entries[places[0]]
    reply.row["text"] = rng.choice(_phrases()["prompt_markup"][book.language])
    del entries[places[0] + 1 :]
    return [
        _finding("prompt_markup", reply),
        Finding(defect="replies_untrained", entries=tuple(entries)),
    ]


def _finding(rule: str, entry: Entry) -> Finding:
    return Finding(defect=f"reply_{rule}", entries=(entry,))


def _paste(entries: list[Entry], rng: Random, *, times: int) -> None:
    replies = sum(len(text_of(entries[at].row)) for at in positions(entries, "agent"))
    row = entries[positions(entries, "customer")[0]].row
    lines = export_lines(row, rng)
    text = text_of(row)
    while len(text) < times * replies:
        text += "\n" + next(lines)
    row["text"] = text


def _count(entries: list[Entry], rng: Random, book: Phrasebook, *, times: int) -> None:
    place = rng.choice(book.data["places"])
    for number in range(times):
        add_exchange(entries, rng, book, f"{number + 1}: OK.", f"{place} {number + 1}: {rng.randint(0, 24)}")


def _first_call(entries: list[Entry]) -> tuple[Entry, dict[str, str]]:
    entry = next(entry for entry in entries if "tool_calls" in entry.row)
    calls: Any = entry.row["tool_calls"]
    function: dict[str, str] = calls[0]["function"]
    return entry, function


@cache
def _phrases() -> Mapping[str, Any]:
    source = resources.files("finelake.sample").joinpath("phrases", "replies.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))
