"""The comparison as rows of text cells, the same in Markdown, on a terminal and on the page."""

from __future__ import annotations

from finelake.evaluation.judgement import Judgement
from finelake.evaluation.metrics.metric import Metric
from finelake.evaluation.results import Evaluation, InTraining, ModelAnswers
from finelake.evaluation.statistics import PairedDifference
from finelake.evaluation.wording import interval_text, p_text, signed


def confidence(evaluation: Evaluation) -> str:
    """Give the intervals' confidence as people write it: 95 %."""
    return f"{evaluation.gate.confidence * 100:g} %"


def metric_cells(metric: Metric, found: PairedDifference) -> tuple[str, ...]:
    """Give a row of the metric table: title, base, tuned, difference, interval, answers, groups."""
    return (
        metric.title,
        f"{found.base_mean:.{metric.digits}f}",
        f"{found.tuned_mean:.{metric.digits}f}",
        signed(metric, found.difference),
        interval_text(metric, found.interval),
        str(found.items),
        str(found.groups),
    )


def significance_cells(metric: Metric, found: PairedDifference) -> tuple[str, ...]:
    """Give a row of the table of tests: title, p, corrected p, detectable difference, McNemar's won, lost and p."""
    detectable = "-" if found.detectable is None else f"{found.detectable:.{metric.digits}f}"
    pairs = ("-", "-", "-")
    if found.mcnemar is not None:
        star = "" if found.items == found.groups else " *"
        pairs = (str(found.mcnemar.won), str(found.mcnemar.lost), p_text(found.mcnemar.p_value) + star)
    return (metric.title, p_text(found.p_value), p_text(found.p_adjusted), detectable, *pairs)


def judge_cells(found: Judgement) -> tuple[str, ...]:
    """Give a row of the judge's table: model, suite, won, lost, tied, turned with the order, first place won."""
    share = "-"
    if found.first_share is not None:
        share = f"{found.first_share:.0%} ({found.first_low:.0%} to {found.first_high:.0%})"
    turned = f"{found.inconsistent} ({found.inconsistent_share:.0%})"
    return found.model, found.suite, str(found.won), str(found.lost), str(found.tied), turned, share


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


def overlap_cells(found: InTraining) -> tuple[str, ...]:
    """Give a row of the overlap table: suite, items, found whole, found by n-grams, what became of them."""
    if not found.checked:
        return found.suite, str(found.items), "not checked", "not checked", "-"
    fate = "none found" if not found.found else "left out" if found.left_out else "kept"
    return found.suite, str(found.items), str(len(found.same_messages)), str(len(found.ngrams)), fate


def spent_text(evaluation: Evaluation) -> str:
    """Say what the answers cost, and what the budget left unasked; nothing where nothing was spent."""
    spent = evaluation.spent
    if spent is None or not spent.tokens:
        return ""
    cost = "" if spent.cost is None else f", {spent.cost:,.4f} {spent.currency}"
    rest = f" Partial: {spent.unasked} questions did not fit into the budget." if spent.unasked else ""
    return f"Billed in this run: {spent.tokens:,} tokens{cost}.{rest}"
