"""The comparison as files: `comparison.json` for machines, `comparison.md` for people.

Neither holds conversation text. Each is written beside its place and renamed, so that it is whole or absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from finelake import __version__
from finelake.evaluation.cells import (
    answer_cells,
    confidence,
    judge_cells,
    metric_cells,
    overlap_cells,
    significance_cells,
    spent_text,
)
from finelake.evaluation.results import Evaluation
from finelake.evaluation.statistics import PairedDifference
from finelake.files import write_whole

JSON_NAME = "comparison.json"
MARKDOWN_NAME = "comparison.md"


def write_reports(evaluation: Evaluation, folder: Path) -> tuple[Path, Path]:
    """Write both files into the folder and give their paths. Raises OutputError when that cannot be done."""
    body = {"finelake": __version__, **evaluation.as_dict()}
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    json_file, markdown_file = folder / JSON_NAME, folder / MARKDOWN_NAME
    write_whole(json_file, text)
    write_whole(markdown_file, markdown(evaluation))
    return json_file, markdown_file


def markdown(evaluation: Evaluation) -> str:
    """Write the comparison as Markdown."""
    return "\n".join([*_heading(evaluation), *numbers(evaluation)])


def numbers(evaluation: Evaluation) -> Iterator[str]:
    """Give the lines of every table and of what they mean."""
    yield from _metric_table(evaluation, evaluation.metrics)
    for found in evaluation.suites:
        yield f"Suite {found.suite.name}{', a guard' if found.suite.guard else ''}: {found.items} prompts."
        yield ""
        yield from _metric_table(evaluation, found.metrics)
    if evaluation.judgements:
        of_judge = ("judge", "suite", "tuned won", "lost", "tied", "turned with the order", "first place won")
        yield from _table(of_judge, [judge_cells(found) for found in evaluation.judgements], left=2)
    yield from _significance(evaluation)
    if evaluation.in_training:
        of_overlap = ("in the training file", "items", "whole", "by n-grams", "what became of them")
        yield from _table(of_overlap, [overlap_cells(found) for found in evaluation.in_training])
    of_answers = ("model", "asked", "failed", "cut at the limit", "prompt tokens", "completion tokens")
    yield from _table(of_answers, [answer_cells(answers) for answers in evaluation.answers.values()])
    if text := spent_text(evaluation):
        yield from (text, "")
    yield method(evaluation)
    yield ""


def method(evaluation: Evaluation) -> str:
    """Say how the intervals were made and what the verdict rests on."""
    return (
        f"Intervals: paired bootstrap (BCa, {evaluation.resampling.resamples} resamples, seed "
        f"{evaluation.resampling.seed}) and cluster-robust t over groups, the wider of both, each at "
        f"{confidence(evaluation)} on its own. The verdict rests on {evaluation.titles([evaluation.gate.metric])} "
        f"alone, guarded by {_guards(evaluation)}."
    )


def _heading(evaluation: Evaluation) -> Iterator[str]:
    base, tuned = evaluation.answers["base"], evaluation.answers["tuned"]
    partial = " (partial)" if evaluation.is_partial else ""
    yield f"# {evaluation.verdict.decision.capitalize()}: {tuned.model} against {base.model}{partial}"
    yield ""
    yield from (f"- {reason}" for reason in evaluation.verdict.reasons)
    yield ""
    yield (
        f"Run {evaluation.run_id}: {evaluation.items} prompts from {evaluation.conversations} conversations "
        f"({evaluation.groups} groups) of the test split, {evaluation.examples.table} at version "
        f"{evaluation.examples.version}."
    )
    yield ""


def _metric_table(evaluation: Evaluation, metrics: Mapping[str, PairedDifference]) -> Iterator[str]:
    headings = ("metric", "base", "tuned", "change", f"{confidence(evaluation)} interval", "answers", "groups")
    yield from _table(headings, [metric_cells(evaluation.declared[name], found) for name, found in metrics.items()])


def _significance(evaluation: Evaluation) -> Iterator[str]:
    for suite, metrics in evaluation.parts:
        headings = (f"tests on {suite}", "p", "p (Holm)", "would show in 80 %", "won", "lost", "McNemar p")
        rows = [significance_cells(evaluation.declared[name], found) for name, found in metrics.items()]
        yield from _table(headings, rows)
    yield (
        "p: sign-flip test over groups, two-sided; Holm corrects for the metrics of one table. Won and lost: items "
        "that one model passed and the other did not. * McNemar's test takes items as independent; here groups "
        "hold several, so this p is too small and decides nothing."
    )
    yield ""


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|" + "---|" * left + "---:|" * (len(headings) - left)
    yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    yield ""


def _guards(evaluation: Evaluation) -> str:
    told = [evaluation.titles(evaluation.gate.guards)] if evaluation.gate.guards else []
    told += [f"suite {found.suite.name}" for found in evaluation.suites if found.suite.guard]
    return ", ".join(told) or "nothing"
