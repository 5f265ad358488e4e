"""Preference lines: two answers to one input, of which the preferred one is made likelier than the other."""

from __future__ import annotations

from collections.abc import Sequence

from finelake.preference import ANSWERS, INPUT, chat_of, read_line
from finelake.tokens.formula import Example, ExampleTokens
from finelake.training.forms.form import Line, LineForm, LineTokens


def _examples(line: Line) -> list[Example]:
    return [*(chat_of(line, answer) for answer in ANSWERS), line[INPUT]]


def _tokens(counts: Sequence[ExampleTokens], limit: int | None) -> LineTokens:
    """No source says whether the input is billed once or with each answer: once is the least, twice the most."""
    preferred, other, given = counts
    totals = [one.total if limit is None else min(one.total, limit) for one in (preferred, other)]
    longest = max(preferred.total, other.total)
    return LineTokens(sum(totals) - min(given.total, *totals), sum(totals), preferred.trained + other.trained, longest)


PREFERENCE = LineForm("dpo", read_line, _examples, _tokens)
