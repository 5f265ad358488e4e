"""Numbers and amounts as people read them. None is a dash; digits are grouped by commas, as on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup, escape

DASH = "\u2013"
_NARROW = "\u202f"  # keeps a number and its unit on one line


def number(value: float | None, digits: int = 0) -> str:
    """Write 12345.6 as 12,346, or with the given decimals."""
    return DASH if value is None else f"{value:,.{digits}f}"


def signed(value: float | None, digits: int = 0) -> str:
    """Write a change with its sign."""
    return DASH if value is None else f"{value:+,.{digits}f}".replace("-", "\u2212")


def share(part: float | None, whole: float | None = 1.0) -> str:
    """Write part of whole in percent: one decimal, and `<0.1 %` for what would read as nothing."""
    if part is None or not whole:
        return DASH
    percent = 100.0 * part / whole
    if 0.0 < percent < 0.05:
        return f"<0.1{_NARROW}%"
    return f"{percent:.1f}{_NARROW}%"


def size(value: int | None) -> str:
    """Write bytes in the largest unit of which there is at least one (powers of ten, as the service counts)."""
    if value is None:
        return DASH
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value >= factor:
            return f"{value / factor:,.1f}{_NARROW}{unit}"
    return f"{value}{_NARROW}B"


def money(value: float | None, currency: str = "USD") -> str:
    """Write an amount: cents as two decimals, below a cent as `<0.01`."""
    if value is None:
        return DASH
    amount = "<0.01" if 0.0 < value < 0.005 else f"{value:,.2f}"
    return f"{amount}{_NARROW}{currency}"


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """Write a confidence interval of a change."""
    if low is None or high is None:
        return DASH
    return f"{signed(low, digits)} to {signed(high, digits)}"


def percent_width(part: float, whole: float) -> str:
    """Give a CSS width in percent, between 0 and 100."""
    return f"{min(100.0, max(0.0, 100.0 * part / whole)):.2f}%" if whole else "0%"


def breakable(name: str) -> Markup:
    """Let a line break after the underscores of a name, which has no blanks."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


FILTERS: Mapping[str, Callable[..., str]] = {
    "number": number,
    "signed": signed,
    "share": share,
    "size": size,
    "money": money,
    "percent_width": percent_width,
    "breakable": breakable,
}
"""The formats that templates use, by filter name; `interval` is a global, as it takes two numbers."""
