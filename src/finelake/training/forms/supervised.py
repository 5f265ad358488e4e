"""Supervised lines: a chat whose assistant messages are learnt."""

from __future__ import annotations

from collections.abc import Sequence

from finelake.chat import read_line
from finelake.tokens.formula import Example, ExampleTokens
from finelake.training.forms.form import Line, LineForm, LineTokens


def _examples(line: Line) -> list[Example]:
    return [line]


def _tokens(counts: Sequence[ExampleTokens], limit: int | None) -> LineTokens:
    (whole,) = counts
    billed = whole.total if limit is None else min(whole.total, limit)
    return LineTokens(billed, billed, whole.trained, whole.total)


SUPERVISED = LineForm("supervised", read_line, _examples, _tokens)
