"""Rendering the report: from the document alone to one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from finelake.report.document import Effect, Fall, Histogram, Report, RuleCount, Waterfall
from finelake.report.page import charts
from finelake.report.page.charts import Curve, Mark, Step, Tone
from finelake.report.page.formats import number
from finelake.report.page.rendering import render_page
from finelake.report.sections import Duplicates

TEMPLATE = "report/curation.html"

EFFECTS: Mapping[Effect, str] = {
    "quarantine": "set aside",
    "merge": "merged",
    "duplicate": "copy dropped",
    "trim": "cut off",
    "untrain": "not trained on",
    "note": "noted",
    "keep": "kept",
}
"""What people read for an effect, in the order in which rules are listed."""

TONES: Mapping[Effect, Tone] = {
    "quarantine": "bad",
    "merge": "calm",
    "duplicate": "calm",
    "trim": "wait",
    "untrain": "wait",
    "note": "plain",
    "keep": "good",
}
_FATES = {
    "turns_merged": "joined with the turn before, or a repeated system prompt",
    "turns_trimmed": "cut off: empty, or before the first user or after the last reply",
    "turns_duplicate": "copies of a turn that is kept",
}
_DRAWN_FALLS = 8


def render(report: Report) -> str:
    """Render the page. The same document gives the same page."""
    return render_page(
        TEMPLATE,
        report=report,
        plots=_plots(report),
        rules=_in_order(report.rules),
        effects=EFFECTS,
        tones=TONES,
        fates=_FATES,
        conversations={fall.reason: fall.count for fall in report.conversations.falls},
        manifest=json.dumps(report.manifest, ensure_ascii=False, indent=2, sort_keys=True),
        merged={fall.reason: fall.count for fall in report.conversations.falls if fall.effect == "merge"},
        at_threshold=_found(report.duplicates, report.duplicates.threshold) if report.duplicates else None,
        **_totals(report),
    )


def _totals(report: Report) -> dict[str, int]:
    return {
        "examples": sum(split.examples for split in report.splits),
        "tokens": sum(split.tokens for split in report.splits),
        "trained_tokens": sum(split.trained_tokens for split in report.splits),
    }


def _in_order(rules: Sequence[RuleCount]) -> list[RuleCount]:
    order = list(EFFECTS)
    return sorted(rules, key=lambda rule: (order.index(rule.effect), -rule.units, rule.reason))


def _plots(report: Report) -> dict[str, Markup]:
    plots = {
        "rows": _waterfall("rows", report.rows, "raw rows in", "rows of kept conversations"),
        "tokens": _histogram("tokens", report.tokens, "tokens of an example", "tokens"),
        "messages": _histogram("messages", report.messages, "messages of an example", "messages"),
    }
    return plots | (_near_plots(report.duplicates) if report.duplicates else {})


def _near_plots(near: Duplicates) -> dict[str, Markup]:
    mark = Mark(near.threshold, f"threshold {near.threshold:g}")
    steps = [step / 100 for step in range(101)]
    curve = Curve("found", steps, [_found(near, step) for step in steps])
    said = "S-curve: share of pairs found by their similarity, " + ", ".join(
        f"{_found(near, step / 5):.1%} at {step / 5:g}" for step in range(1, 5)
    )
    plots = {
        "s_curve": charts.curves(
            "s-curve",
            [curve],
            description=said,
            axis="Jaccard similarity of a pair",
            vertical_axis="share found",
            marks=[mark],
            bounds=(0.0, 1.02),
        )
    }
    if near.similarities:
        bins = [(each.low, each.low + 0.05, each.pairs) for each in near.similarities]
        plots["similarities"] = charts.histogram(
            "similarities",
            bins,
            description="Candidate pairs by their similarity.",
            axis="Jaccard similarity",
            mark=mark,
        )
    return plots


def _found(near: Duplicates, similarity: float) -> float:
    """Give the share of pairs of a similarity that the bands find (Leskovec et al., MMDS, 3.4.2)."""
    return float(1.0 - (1.0 - similarity**near.rows_a_band) ** near.bands)


def _waterfall(name: str, waterfall: Waterfall, first: str, last: str) -> Markup:
    falls = _drawn(waterfall.falls)
    steps = [
        Step(first, waterfall.start, total=True),
        *(Step(fall.reason, -fall.count, tone=TONES[fall.effect]) for fall in falls),
        Step(last, waterfall.end, total=True, tone="good"),
    ]
    said = f"Waterfall: {number(waterfall.start)} {first}, {number(waterfall.end)} {last}. The table has every step."
    return charts.waterfall(name, steps, description=said, axis=waterfall.unit)


def _drawn(falls: Sequence[Fall]) -> list[Fall]:
    """Keep the largest steps and put the others together, so that the plot stays readable."""
    if len(falls) <= _DRAWN_FALLS:
        return list(falls)
    largest = sorted(falls, key=lambda fall: -fall.count)[: _DRAWN_FALLS - 1]
    rest = [fall for fall in falls if fall not in largest]
    others = Fall(reason=f"{len(rest)} other reasons", effect="quarantine", count=sum(fall.count for fall in rest))
    shown = [fall for fall in falls if fall in largest]
    aside = [fall for fall in shown if fall.effect == "quarantine"]
    return [*aside, others, *(fall for fall in shown if fall.effect != "quarantine")]


def _histogram(name: str, histogram: Histogram, axis: str, unit: str) -> Markup:
    mark = Mark(histogram.limit, f"limit {number(histogram.limit)}") if histogram.limit else None
    said = (
        f"Histogram of {axis}: half have at most {number(histogram.median)} {unit}, 95 % at most "
        f"{number(histogram.p95)}, the largest {number(histogram.largest)}."
    )
    bins = [(each.low - 0.5, each.high + 0.5, each.count) for each in histogram.bins]
    return charts.histogram(name, bins, description=said, axis=axis, mark=mark, log=True)
