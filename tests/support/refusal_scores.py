"""Precision and recall of the refusal phrases on labelled answers."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from finelake.evaluation.metrics.refusal import is_refusal

CASES = Path(__file__).with_name("refusal_cases.toml")


@dataclass(frozen=True, slots=True)
class Case:
    """An answer, its language (ISO 639-1), and whether it declines."""

    language: str
    text: str
    declines: bool


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts of answers: declined and found, found without declining, declined and missed."""

    found: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.wrong)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.found + self.missed)


def labelled(*, again: bool) -> list[Case]:
    """Give the answers that the phrases were mended by, or with `again` those that were written after that."""
    tables = tomllib.loads(CASES.read_text(encoding="utf-8"))
    after = tables.pop("again")
    languages = after if again else tables
    return [
        Case(language, text, label == "yes")
        for language, cases in languages.items()
        for label in ("yes", "no")
        for text in cases[label]
    ]


def score(cases: list[Case]) -> Scores:
    """Compare what the phrases find with the labels."""
    return Scores(
        found=sum(case.declines and is_refusal(case.text) for case in cases),
        wrong=sum(not case.declines and is_refusal(case.text) for case in cases),
        missed=sum(case.declines and not is_refusal(case.text) for case in cases),
    )
