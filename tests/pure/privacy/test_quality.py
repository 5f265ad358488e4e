"""Precision and recall on the labelled set must not fall below what docs/privacy.md says, less a margin."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from finelake.privacy.kinds import KINDS
from support.privacy_cases import LANGUAGES, NEGATIVE, Case, labelled_cases
from support.privacy_scores import Score, scores

DOCS = Path(__file__).resolve().parents[3] / "docs" / "privacy.md"
MARGIN = 0.03
_row = re.compile(r"^\| `(\w+)` \| (en|de|ja) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return labelled_cases()


@pytest.fixture(scope="module")
def measured(cases: list[Case]) -> dict[str, dict[tuple[str, str], Score]]:
    return {half: scores(case for case in cases if case.half == half) for half in ("development", "held_out")}


def documented() -> dict[tuple[str, str], tuple[float, ...]]:
    """Read the table of docs/privacy.md: kind and language to precision and recall of both halves."""
    rows = _row.findall(DOCS.read_text(encoding="utf-8"))
    return {(kind, language): tuple(map(float, figures)) for kind, language, *figures in rows}


def test_the_set_has_every_kind_in_every_language_and_hard_negatives(cases: list[Case]) -> None:
    assert len(cases) >= 1000
    counts = Counter((case.kind, case.language, case.half) for case in cases)
    assert {(kind, language) for kind, language, _ in counts} == {
        (kind, language) for kind in (*KINDS, NEGATIVE) for language in LANGUAGES
    }
    assert min(counts.values()) >= 20
    assert sum(case.kind == NEGATIVE for case in cases) >= 500


def test_the_set_is_the_same_each_time_and_its_labels_fit(cases: list[Case]) -> None:
    assert labelled_cases() == cases
    assert labelled_cases(seed=1) != cases
    for case in cases:
        assert (case.span is None) == (case.kind == NEGATIVE)
        if case.span:
            start, end = case.span
            assert 0 <= start < end <= len(case.text)
            assert case.text[start:end].strip() == case.text[start:end]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_figures_of_the_documentation_hold(
    kind: str, language: str, measured: dict[str, dict[tuple[str, str], Score]]
) -> None:
    found = [
        figure
        for half in ("development", "held_out")
        for score in (measured[half][(kind, language)],)
        for figure in (score.precision, score.recall)
    ]
    said = documented()[(kind, language)]
    assert all(value >= figure - MARGIN for value, figure in zip(found, said, strict=True)), found
