"""The comparison as files: `comparison.json` for machines, `comparison.md` for people.

Neither holds conversation text. Each is written beside its place and renamed, so that it is whole or absent.
"""

from __future__ import annotations

import json
from pathlib import Path

from finelake import __version__
from finelake.evaluation.metrics import METRICS
from finelake.evaluation.results import Evaluation, ModelAnswers
from finelake.evaluation.statistics import Interval, PairedDifference
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
    base, tuned = evaluation.answers["base"], evaluation.answers["tuned"]
    lines = [
        f"# {evaluation.verdict.decision.capitalize()}: {tuned.model} against {base.model}",
        "",
        *(f"- {reason}" for reason in evaluation.verdict.reasons),
        "",
        f"Run {evaluation.run_id}: {evaluation.items} prompts from {evaluation.conversations} conversations "
        f"({evaluation.groups} groups) of the test split, {evaluation.examples.table} at version "
        f"{evaluation.examples.version}.",
        "",
        f"| metric | base | tuned | change | {confidence(evaluation)} interval | answers | groups |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(f"| {' | '.join(metric_cells(name, found))} |" for name, found in evaluation.metrics.items()),
        "",
        "| model | asked | failed | cut at the limit | prompt tokens | completion tokens |",
        "|---|---:|---:|---:|---:|---:|",
        *(f"| {' | '.join(answer_cells(answers))} |" for answers in (base, tuned)),
        "",
        f"Intervals: paired bootstrap (BCa) over groups, {evaluation.resampling.resamples} resamples, seed "
        f"{evaluation.resampling.seed}, each at {confidence(evaluation)} on its own. The verdict rests on "
        f"{METRICS[evaluation.gate.metric].title} alone, guarded by {_guards(evaluation)}.",
        "",
    ]
    return "\n".join(lines)


def confidence(evaluation: Evaluation) -> str:
    """Give the intervals' confidence as people write it: 95 %."""
    return f"{evaluation.gate.confidence * 100:g} %"


def metric_cells(name: str, found: PairedDifference) -> tuple[str, ...]:
    """Give a row of the metric table: title, base, tuned, difference, interval, answers, groups."""
    digits = METRICS[name].digits
    return (
        METRICS[name].title,
        f"{found.base_mean:.{digits}f}",
        f"{found.tuned_mean:.{digits}f}",
        f"{found.difference:+.{digits}f}",
        _interval(found.interval, digits),
        str(found.items),
        str(found.groups),
    )


def answer_cells(answers: ModelAnswers) -> tuple[str, ...]:
    """Give a row of the answer table: model, asked, failures by code, cut, prompt and completion tokens."""
    failures = ", ".join(f"{code}: {count}" for code, count in answers.failures.items()) or "0"
    return (
        answers.model,
        str(answers.asked),
        failures,
        str(answers.cut),
        f"{answers.tokens.prompt:,}",
        f"{answers.tokens.completion:,}",
    )


def _interval(interval: Interval | None, digits: int) -> str:
    return "none" if interval is None else f"{interval.low:+.{digits}f} to {interval.high:+.{digits}f}"


def _guards(evaluation: Evaluation) -> str:
    return ", ".join(METRICS[name].title for name in evaluation.gate.guards) or "nothing"
