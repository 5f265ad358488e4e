"""Reinforcement lines: a prompt, and data for the grader; nothing in them is learnt as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from finelake.reinforcement import read_line
from finelake.tokens.formula import Example, ExampleTokens
from finelake.training.forms.form import Line, LineForm, LineTokens


def _examples(line: Line) -> list[Example]:
    return [{key: line[key] for key in ("messages", "tools") if key in line}]


def _tokens(counts: Sequence[ExampleTokens], limit: int | None) -> LineTokens:
    """Training is billed by the hour: tokens are those of the prompts, and only their length is compared."""
    (prompt,) = counts
    billed = prompt.total if limit is None else min(prompt.total, limit)
    return LineTokens(billed, billed, 0, prompt.total)


REINFORCEMENT = LineForm("reinforcement", read_line, _examples, _tokens)
