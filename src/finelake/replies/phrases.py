"""The package's phrases by rule, as conditions: a cheap look for a piece, then a pattern of phrases that hold it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from finelake.replies.conditions import Condition, Says, plain_text


def shipped_phrases() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Give the phrases by rule and hint; every phrase holds its hint."""
    return {rule: table for rule, table in _tables().items() if rule != "apology"}


@cache
def _tables() -> Mapping[str, Mapping[str, Sequence[str]]]:
    source = files("finelake.replies") / "phrases.toml"
    found: dict[str, dict[str, list[str]]] = tomllib.loads(source.read_text(encoding="utf-8"))
    return found


def says_any(rule: str, more: Sequence[str] = ()) -> Condition:
    """Give the condition that a text says one of the rule's phrases or of `more`."""
    shipped = [(hint, bordered(phrases)) for hint, phrases in shipped_phrases()[rule].items()]
    own = [(phrase, bordered([phrase])) for phrase in map(plain_text, more)]
    return Says((*shipped, *own))


def bordered(phrases: Sequence[str]) -> str:
    """Build a pattern of phrases that no letter a to z touches; the longest one comes first."""
    ordered = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    return "|".join(_between_borders(phrase) for phrase in ordered)


def _between_borders(phrase: str) -> str:
    """Ask for a border where the phrase itself begins or ends with a letter."""
    before = "(?<![a-z])" if "a" <= phrase[0] <= "z" else ""
    return before + re.escape(phrase) + ("(?![a-z])" if "a" <= phrase[-1] <= "z" else "")


@dataclass(frozen=True, slots=True)
class ApologyWords:
    """What an apology is made of: words between borders, pieces that may stand anywhere, and the cheap look."""

    hints: tuple[str, ...]
    words: tuple[str, ...]
    anywhere: tuple[str, ...]


def apology_words() -> ApologyWords:
    """Give the shipped words of apologies."""
    table = _tables()["apology"]
    return ApologyWords(*(tuple(table[name]) for name in ("hints", "words", "anywhere")))
