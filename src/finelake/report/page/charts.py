"""The kinds of plots: histogram, curves, waterfall, and intervals of changes. Each gives markup for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup

from finelake.report.page import plots
from finelake.report.page.formats import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Tone = Literal["plain", "good", "bad", "calm", "wait"]
_TONES = {"plain": plots.WATER, "good": plots.GOOD, "bad": plots.BAD, "calm": plots.CALM, "wait": plots.WAIT}
_LABEL_LENGTH = 26
_ROW_HEIGHT = 24


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line with its label, such as a limit or a threshold, at a place of the horizontal axis."""

    at: float
    label: str
    tone: Tone = "bad"


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one curve, in the order of the horizontal axis."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Step:
    """A bar of a waterfall: a total that starts at zero, or a change of the total before it."""

    label: str
    value: int
    total: bool = False
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Change:
    """A change with its confidence interval (None where there is none)."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    tone: Tone = "plain"


def histogram(
    name: str,
    bins: Sequence[tuple[float, float, int]],
    *,
    description: str,
    axis: str,
    mark: Mark | None = None,
    log: bool = False,
    tone: Tone = "plain",
) -> Markup:
    """Draw bins (from, to, count) as bars; with `log` the horizontal axis is logarithmic (all bounds above zero)."""

    def paint(axes: Axes) -> None:
        axes.bar(
            [low for low, _, _ in bins],
            [count for _, _, count in bins],
            width=[high - low for low, high, _ in bins],
            align="edge",
            color=_TONES[tone],
            edgecolor=plots.SHEET,
            linewidth=0.8,
        )
        if log:
            axes.set_xscale("log")
        _plain_numbers(axes, horizontal=any(high > 1 for _, high, _ in bins), vertical=True)
        axes.set_xlabel(axis)
        _mark(axes, mark)

    return plots.draw(name, paint, description=description)


def curves(
    name: str,
    lines: Sequence[Curve],
    *,
    description: str,
    axis: str,
    vertical_axis: str,
    marks: Sequence[Mark] = (),
    bounds: tuple[float, float] | None = None,
) -> Markup:
    """Draw curves over a common axis; `bounds` fixes the vertical axis."""

    def paint(axes: Axes) -> None:
        for line in lines:
            axes.plot(line.x, line.y, color=_TONES[line.tone], linewidth=2, label=line.label)
        if bounds:
            axes.set_ylim(*bounds)
        axes.set_xlabel(axis)
        axes.set_ylabel(vertical_axis)
        for mark in marks:
            _mark(axes, mark, low=True)
        if len(lines) > 1:
            axes.legend(fontsize=10)

    return plots.draw(name, paint, description=description)


def waterfall(name: str, steps: Sequence[Step], *, description: str, axis: str) -> Markup:
    """Draw totals and the changes between them as horizontal bars, from top to bottom."""

    def paint(axes: Axes) -> None:
        level = 0
        widest = max((abs(step.value) for step in steps if step.total), default=1) or 1
        for row, step in enumerate(steps):
            low = 0 if step.total else min(level, level + step.value)
            axes.barh(row, abs(step.value), left=low, height=0.62, color=_TONES[step.tone])
            level = step.value if step.total else level + step.value
            if row + 1 < len(steps):
                axes.plot([level, level], [row - 0.31, row + 1.31], color=plots.QUIET, linewidth=0.8)
            text = number(step.value).replace("-", "\u2212")
            axes.text(low + abs(step.value) + widest * 0.015, row, text, va="center", fontsize=10, color=plots.INK)
        axes.set_yticks(range(len(steps)), [_short(step.label) for step in steps])
        axes.tick_params(axis="y", length=0, labelcolor=plots.INK)
        axes.invert_yaxis()
        axes.set_xlim(0, widest * 1.2)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        _plain_numbers(axes, horizontal=True, vertical=False, ticks=3)
        axes.set_xlabel(axis)

    return plots.draw(name, paint, description=description, height=64 + _ROW_HEIGHT * len(steps))


def intervals(name: str, changes: Sequence[Change], *, description: str, axis: str) -> Markup:
    """Draw each change as a point with its interval, beside a line at zero."""

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=plots.QUIET, linewidth=1)
        for row, change in enumerate(changes):
            colour = _TONES[change.tone]
            if change.low is not None and change.high is not None:
                axes.plot([change.low, change.high], [row, row], color=colour, linewidth=2.5)
            axes.plot([change.value], [row], marker="o", markersize=6, color=colour)
        axes.set_yticks(range(len(changes)), [_short(change.label) for change in changes])
        axes.tick_params(axis="y", length=0, labelcolor=plots.INK)
        axes.set_ylim(len(changes) - 0.5, -0.5)
        axes.grid(axis="x", visible=True)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(axis)

    return plots.draw(name, paint, description=description, height=64 + _ROW_HEIGHT * len(changes))


def _mark(axes: Axes, mark: Mark | None, *, low: bool = False) -> None:
    if mark is None:
        return
    axes.axvline(mark.at, color=_TONES[mark.tone], linewidth=1.5, linestyle=(0, (4, 3)))
    left, right = axes.get_xlim()
    middle = (left * right) ** 0.5 if axes.get_xscale() == "log" else (left + right) / 2
    axes.annotate(
        mark.label,
        xy=(mark.at, 0.0 if low else 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if mark.at > middle else 5, 6 if low else -2),
        textcoords="offset points",
        ha="right" if mark.at > middle else "left",
        va="bottom" if low else "top",
        color=_TONES[mark.tone],
        fontsize=10,
    )


def _plain_numbers(axes: Axes, *, horizontal: bool, vertical: bool, ticks: int = 5) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    plain = FuncFormatter(lambda value, _: f"{value:,.0f}" if abs(value) < 1e6 else f"{value / 1e6:g} M")
    if horizontal:
        axes.xaxis.set_major_formatter(plain)
        axes.xaxis.set_minor_formatter(NullFormatter())
        if axes.get_xscale() != "log":
            axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))
    if vertical:
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(plain)


def _short(label: str) -> str:
    return label if len(label) <= _LABEL_LENGTH else f"{label[: _LABEL_LENGTH - 1]}\u2026"
