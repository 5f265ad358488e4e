"""The model card: what was compared, the verdict, every number, and answers to read, as Markdown.

Texts of conversations stand in fenced blocks whose fence is longer than any in them, so that nothing in them is
markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.page.samples import Part, Sample
from finelake.evaluation.report import numbers
from finelake.evaluation.results import Evaluation
from finelake.evaluation.statistics import PairedDifference

_WIDTH = 41
_TICKS = re.compile(r"`+")


def model_card(evaluation: Evaluation, parts: Sequence[Part]) -> str:
    """Write the card. It holds conversation text where `parts` are given."""
    base, tuned = evaluation.answers["base"].model, evaluation.answers["tuned"].model
    lines = [
        f"# Model card: {tuned}",
        "",
        f"Tuned from and compared with {base}. Verdict: **{evaluation.verdict.decision}**.",
        "",
        *(f"- {reason}" for reason in evaluation.verdict.reasons),
        "",
        "## What was compared",
        "",
        f"Run {evaluation.run_id}, evaluation {evaluation.evaluation_id}: {evaluation.items} held-out prompts of "
        f"{evaluation.conversations} conversations in {evaluation.groups} groups, from {evaluation.examples.table} at "
        f"version {evaluation.examples.version}. Both models got the same prompts with the same options.",
        "",
        "## Changes with their intervals",
        "",
        *_plots(evaluation),
        "## Numbers",
        "",
        *numbers(evaluation),
    ]
    for part in parts:
        lines += _answers(part)
    return "\n".join(lines).rstrip("\n") + "\n"


def _plots(evaluation: Evaluation) -> Iterator[str]:
    for suite, metrics in evaluation.parts:
        rows = list(_rows(metrics, evaluation.declared))
        if rows:
            title = "share of each metric's range, better to the right"
            yield from (f"{suite} ({title}):", "", "```text", *rows, "```", "")


def _rows(metrics: Mapping[str, PairedDifference], declared: Mapping[str, Metric]) -> Iterator[str]:
    """Draw each change as a row: the interval as a line, the change as o, zero as |."""
    told = {
        name: relative(found, declared[name])
        for name, found in metrics.items()
        if declared[name].better == "higher" and found.interval is not None
    }
    reach = max((abs(value) for values in told.values() for value in values), default=0.0) or 1.0
    for name, (low, middle, high) in told.items():
        cells = [" "] * _WIDTH
        places = [round((value / reach + 1.0) / 2.0 * (_WIDTH - 1)) for value in (low, middle, high)]
        cells[places[0] : places[2] + 1] = "-" * (places[2] - places[0] + 1)
        cells[_WIDTH // 2] = "|"
        cells[places[1]] = "o"
        yield f"{declared[name].title:<28}{''.join(cells)} {middle:+.3f}"


def relative(found: PairedDifference, metric: Metric) -> tuple[float, float, float]:
    """Give low end, change and high end as shares of the metric's range."""
    low, high = (found.difference,) * 2 if found.interval is None else (found.interval.low, found.interval.high)
    return low / metric.scale, found.difference / metric.scale, high / metric.scale


def _answers(part: Part) -> Iterator[str]:
    for title, samples in (("worst changes", part.lost), ("best changes", part.won)):
        if samples:
            yield from (f"## Answers of {part.suite}: {title} by {part.metric}", "")
            for sample in samples:
                yield from _shown(sample)


def _shown(sample: Sample) -> Iterator[str]:
    yield f"### {_inline(sample.name)}: {sample.base_score} to {sample.tuned_score} ({sample.change})"
    yield ""
    texts = [("Question", sample.question), ("Reference", sample.reference)]
    for label, text in (*texts, ("Base", sample.base), ("Tuned", sample.tuned)):
        if text:
            fence = "`" * max(3, *(len(found) + 1 for found in _TICKS.findall(text) or [""]))
            yield from (f"{label}:", "", f"{fence}text", text, fence, "")


def _inline(text: str) -> str:
    """Write a foreign name as a code span, on one line."""
    return f"`` {' '.join(text.replace('`', chr(39)).split())} ``"
