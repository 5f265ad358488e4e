"""The page `evaluation.html` and the card `model_card.md`. The page is one file that loads nothing and runs nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from finelake.errors import EnvironmentProblem
from finelake.evaluation.cells import (
    answer_cells,
    confidence,
    judge_cells,
    metric_cells,
    overlap_cells,
    significance_cells,
    spent_text,
)
from finelake.evaluation.item import TEST
from finelake.evaluation.page.card import model_card, relative
from finelake.evaluation.page.samples import Part
from finelake.evaluation.report import method
from finelake.evaluation.results import Evaluation
from finelake.evaluation.score_table import Score
from finelake.evaluation.statistics import PairedDifference
from finelake.files import write_whole
from finelake.report.page import charts
from finelake.report.page.rendering import render_page

logger = logging.getLogger(__name__)

PAGE_NAME = "evaluation.html"
CARD_NAME = "model_card.md"
_BINS = 20


def write_pages(
    evaluation: Evaluation, scores: Sequence[Score], parts: Sequence[Part], folder: Path
) -> tuple[Path, Path]:
    """Write page and card into the folder and give their paths. Raises OutputError when that cannot be done."""
    page, card = folder / PAGE_NAME, folder / CARD_NAME
    write_whole(page, html(evaluation, scores, parts))
    write_whole(card, model_card(evaluation, parts))
    return page, card


def html(evaluation: Evaluation, scores: Sequence[Score], parts: Sequence[Part]) -> str:
    """Render the page; without matplotlib it has no plots and says so."""
    try:
        plots = _plots(evaluation, scores)
    except EnvironmentProblem:
        logger.warning("The page has no plots: matplotlib is not installed (pip install 'finelake[report]').")
        plots = []
    return render_page(
        "evaluation/page/evaluation.html",
        evaluation=evaluation,
        tone={"promote": "good", "hold": "wait", "reject": "bad"}[evaluation.verdict.decision],
        facts=_facts(evaluation),
        figures=_figures(evaluation),
        plots=plots,
        tables=[_tables(evaluation, suite, metrics) for suite, metrics in evaluation.parts],
        judge=[judge_cells(found) for found in evaluation.judgements],
        overlap=[overlap_cells(found) for found in evaluation.in_training],
        answers=[answer_cells(found) for found in evaluation.answers.values()],
        interval_heading=f"{confidence(evaluation)} interval",
        spent=spent_text(evaluation),
        method=method(evaluation),
        parts=parts,
    )


def _facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    return [
        ("Tuned", evaluation.answers["tuned"].model),
        ("Base", evaluation.answers["base"].model),
        ("Run", evaluation.run_id),
        ("Evaluation", evaluation.evaluation_id),
        ("Prompts", f"{evaluation.items} from {evaluation.conversations} conversations, {evaluation.groups} groups"),
    ]


def _figures(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    figures = []
    for name in (evaluation.gate.metric, *evaluation.gate.guards):
        found = evaluation.metrics.get(name)
        if found is not None:
            cells = metric_cells(evaluation.declared[name], found)
            figures.append((cells[0], cells[3], f"{cells[1]} to {cells[2]}; {cells[4]}"))
    failed = sum(sum(found.failures.values()) for found in evaluation.answers.values())
    figures.append(("Failed answers", str(failed), f"of {sum(a.asked for a in evaluation.answers.values())}"))
    in_training = sum(found.found for found in evaluation.in_training)
    checked = all(found.checked for found in evaluation.in_training) and bool(evaluation.in_training)
    figures.append(("In the training file", str(in_training) if checked else "not checked", "items found there"))
    return figures


def _tables(evaluation: Evaluation, suite: str, metrics: Mapping[str, PairedDifference]) -> dict[str, object]:
    guard = next((found.suite.guard for found in evaluation.suites if found.suite.name == suite), False)
    declared = evaluation.declared
    return {
        "title": "Test split" if suite == TEST else f"Suite {suite}{', a guard' if guard else ''}",
        "id": f"suite-{suite}",
        "metrics": [metric_cells(declared[name], found) for name, found in metrics.items()],
        "tests": [significance_cells(declared[name], found) for name, found in metrics.items()],
        "starred": any(found.mcnemar is not None and found.items > found.groups for found in metrics.values()),
    }


def _plots(evaluation: Evaluation, scores: Sequence[Score]) -> list[tuple[Markup, str]]:
    plots = []
    for suite, metrics in evaluation.parts:
        changes = [
            _change(found, evaluation, name)
            for name, found in metrics.items()
            if evaluation.declared[name].better == "higher"
        ]
        if changes:
            drawn = charts.intervals(
                f"changes-{suite}",
                changes,
                description=f"Changes from base to tuned on {suite}, with {confidence(evaluation)} intervals.",
                axis="share of the metric's range",
            )
            plots.append((drawn, f"Changes on {'the test split' if suite == TEST else suite}; better to the right."))
    metric = evaluation.declared[evaluation.gate.metric]
    gains = [row.tuned - row.base for row in scores if row.suite == TEST and row.metric == metric.name]
    if gains and max(gains) > min(gains):
        drawn = charts.histogram(
            "gains", _bins(gains), description=f"Changes of {metric.title} by prompt.", axis=f"change of {metric.title}"
        )
        plots.append((drawn, f"Change of {metric.title} by prompt of the test split."))
    return plots


def _change(found: PairedDifference, evaluation: Evaluation, name: str) -> charts.Change:
    metric = evaluation.declared[name]
    low, middle, high = relative(found, metric)
    tone: charts.Tone = "good" if low > 0 else "bad" if high < 0 else "plain"
    known = found.interval is not None
    return charts.Change(metric.title, middle, low if known else None, high if known else None, tone)


def _bins(values: Sequence[float]) -> list[tuple[float, float, int]]:
    import numpy as np

    counts, edges = np.histogram(values, bins=_BINS)
    return [(float(edges[at]), float(edges[at + 1]), int(count)) for at, count in enumerate(counts)]
