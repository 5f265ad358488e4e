"""The comparison on a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from finelake.evaluation.cells import answer_cells, confidence, judge_cells, metric_cells, spent_text
from finelake.evaluation.guards import SuiteFound
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.results import Evaluation
from finelake.evaluation.statistics import PairedDifference
from finelake.evaluation.verdict import Decision

_COLOURS: dict[Decision, str] = {"promote": "bold green", "hold": "bold yellow", "reject": "bold red"}
_INTERVAL_COLUMN = 4


def comparison_view(evaluation: Evaluation) -> RenderableType:
    """Give verdict, reasons and tables as something that rich can print."""
    decision = evaluation.verdict.decision
    heading = Text(f"Verdict: {decision}", style=_COLOURS[decision])
    reasons = [Text(f"  {reason}") for reason in evaluation.verdict.reasons]
    title = f"{evaluation.items} prompts from {evaluation.conversations} test conversations"
    suites = [_metric_table(evaluation, found.metrics, _suite_title(found)) for found in evaluation.suites]
    return Group(
        _metric_table(evaluation, evaluation.metrics, title),
        *suites,
        *([_judge_table(evaluation)] if evaluation.judgements else []),
        _answer_table(evaluation),
        *([Text(text)] if (text := spent_text(evaluation)) else []),
        heading,
        *reasons,
    )


def _suite_title(found: SuiteFound) -> str:
    return f"suite {found.suite.name}{', a guard' if found.suite.guard else ''}: {found.items} prompts"


def _metric_table(evaluation: Evaluation, metrics: Mapping[str, PairedDifference], title: str) -> Table:
    table = Table("metric", title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    interval = f"{confidence(evaluation)} interval"
    for heading in ("base", "tuned", "change", interval, "answers", "groups"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in metrics.items():
        metric = evaluation.declared[name]
        cells = [Text(cell) for cell in metric_cells(metric, found)]
        cells[_INTERVAL_COLUMN].stylize(_colour(metric, found))
        table.add_row(*cells, style="bold" if name == evaluation.gate.metric else None)
    return table


def _colour(metric: Metric, found: PairedDifference) -> str:
    if found.interval is None or metric.better == "neither":
        return ""
    better, worse = ("green", "red") if metric.better == "higher" else ("red", "green")
    if found.interval.low > 0:
        return better
    return worse if found.interval.high < 0 else ""


def _judge_table(evaluation: Evaluation) -> Table:
    table = Table("judge", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("suite", "tuned won", "lost", "tied", "turned with the order", "first place won"):
        table.add_column(heading, justify="right")
    for found in evaluation.judgements:
        table.add_row(*(Text(cell) for cell in judge_cells(found)))
    return table


def _answer_table(evaluation: Evaluation) -> Table:
    table = Table("model", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("asked", "failed", "cut", "prompt tokens", "completion tokens"):
        table.add_column(heading, justify="right")
    for answers in evaluation.answers.values():
        table.add_row(*(Text(cell) for cell in answer_cells(answers)))
    return table
