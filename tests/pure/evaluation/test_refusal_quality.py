"""Precision and recall of the refusal phrases; docs/evaluation.md tells these very figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.refusal_scores import labelled, score

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "evaluation.md"


@pytest.mark.parametrize(("again", "precision", "recall"), [(False, 0.98, 0.95), (True, 0.95, 0.6)])
def test_refusals_are_told_from_answers_that_only_look_like_them(again: bool, precision: float, recall: float) -> None:
    found = score(labelled(again=again))
    assert found.precision >= precision
    assert found.recall >= recall


def test_the_document_tells_what_is_measured() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for again in (False, True):
        cases = labelled(again=again)
        found = score(cases)
        assert f"| {len(cases)} | {found.precision:.1%} | {found.recall:.1%} |" in text


def test_there_are_enough_labelled_answers_of_both_kinds_and_all_languages() -> None:
    cases = [*labelled(again=False), *labelled(again=True)]
    assert len({case.text for case in cases}) == len(cases) >= 120
    assert len({case.language for case in cases}) == 9
    assert 0.4 <= sum(case.declines for case in cases) / len(cases) <= 0.6
