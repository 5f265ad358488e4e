"""The comparison on a terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from finelake.evaluation.metrics import METRICS
from finelake.evaluation.report import answer_cells, confidence, metric_cells
from finelake.evaluation.results import Evaluation
from finelake.evaluation.statistics import PairedDifference
from finelake.evaluation.verdict import Decision

_COLOURS: dict[Decision, str] = {"promote": "bold green", "hold": "bold yellow", "reject": "bold red"}
_INTERVAL_COLUMN = 4


def comparison_view(evaluation: Evaluation) -> RenderableType:
    """Give verdict, reasons and both tables as something that rich can print."""
    decision = evaluation.verdict.decision
    heading = Text(f"Verdict: {decision}", style=_COLOURS[decision])
    reasons = [Text(f"  {reason}") for reason in evaluation.verdict.reasons]
    return Group(_metric_table(evaluation), _answer_table(evaluation), heading, *reasons)


def _metric_table(evaluation: Evaluation) -> Table:
    title = f"{evaluation.items} prompts from {evaluation.conversations} test conversations"
    table = Table("metric", title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    interval = f"{confidence(evaluation)} interval"
    for heading in ("base", "tuned", "change", interval, "answers", "groups"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in evaluation.metrics.items():
        cells = [Text(cell) for cell in metric_cells(name, found)]
        cells[_INTERVAL_COLUMN].stylize(_colour(name, found))
        table.add_row(*cells, style="bold" if name == evaluation.gate.metric else None)
    return table


def _colour(name: str, found: PairedDifference) -> str:
    if found.interval is None or not METRICS[name].higher_is_better:
        return ""
    if found.interval.low > 0:
        return "green"
    return "red" if found.interval.high < 0 else ""


def _answer_table(evaluation: Evaluation) -> Table:
    table = Table("model", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("asked", "failed", "cut", "prompt tokens", "completion tokens"):
        table.add_column(heading, justify="right")
    for role in ("base", "tuned"):
        table.add_row(*(Text(cell) for cell in answer_cells(evaluation.answers[role])))
    return table
