"""The template grammar of the phrase files: `[a|b]` is a choice (may be nested or empty), `{slot}` a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

_INNERMOST_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SPACES = re.compile(r" {2,}")


def choose(template: str, rng: Random) -> str:
    """Resolve every `[a|b]` of the template, innermost first."""
    while _INNERMOST_CHOICE.search(template):
        template = _INNERMOST_CHOICE.sub(lambda found: rng.choice(found[1].split("|")), template)
    return template


def render(templates: Sequence[str], slots: Mapping[str, str], rng: Random, *, capital: bool = True) -> str:
    """Pick one template, resolve its choices, fill its slots and, unless told not to, start with a capital letter.

    Raises KeyError when a template names a slot that the case does not have.
    """
    text = choose(rng.choice(templates), rng).format_map(slots)
    text = _SPACES.sub(" ", text).strip()
    return text[:1].upper() + text[1:] if capital else text
