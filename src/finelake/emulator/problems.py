"""What is wrong with a line of a training file."""

from __future__ import annotations

from finelake.emulator.wire import Json


class LineProblem(ValueError):
    """What is wrong with one line, in the service's words without the line number."""


def refuse_keys(found: Json, allowed: frozenset[str], where: str) -> None:
    """Raise LineProblem when an object has other keys than those allowed."""
    unknown = sorted(set(found) - allowed)
    if unknown:
        raise LineProblem(f"{where} unrecognized keys: {', '.join(unknown)}.")
