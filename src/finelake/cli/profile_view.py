"""A profile as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from finelake.profile.profile import Profile
from finelake.profile.summary import Beside, Line

_SHOWN = ("0.01", "0.25", "0.5", "0.75", "0.99")
_EXCERPT = 80


def profile_view(profile: Profile, *, with_text: bool) -> RenderableType:
    """Show distributions, lines and rates; excerpts of texts only where they are asked for."""
    title = f"{profile.conversations:,} conversations of {profile.source} at version {profile.version}"
    parts: list[RenderableType] = [Text(title, style="bold"), _distributions(profile), _lines(profile)]
    parts += [_beside(line, with_text=with_text) for line in profile.lines if line.beyond or line.within]
    parts += [_rates(profile, with_text=with_text), Text(f"Every measured row is in {profile.table}.")]
    return Group(*parts)


def _distributions(profile: Profile) -> Table:
    table = _table("role", "measure", "values", *(f"{float(share):.0%}" for share in _SHOWN))
    for item in profile.distributions:
        table.add_row(item.role, item.measure, f"{item.count:,}", *(f"{item.quantiles[share]:.4g}" for share in _SHOWN))
    return table


def _lines(profile: Profile) -> Table:
    beyond = f"beyond {profile.tail:.2%}"
    table = _table("setting", "role", "now", "found by it", f"proposed ({beyond})")
    for line in profile.lines:
        table.add_row(
            line.setting, line.role, f"{line.current:g}", f"{line.share_beyond:.3%}", f"{line.side} {line.proposed:g}"
        )
    return table


def _beside(line: Line, *, with_text: bool) -> RenderableType:
    table = _table(f"{line.setting} at {line.proposed:g}", "turn", "value", "text" if with_text else "")
    for side, rows in (("beyond", line.beyond), ("within", line.within)):
        for row in rows:
            table.add_row(*_cells(row, f"{side}: ", f"{row.value:.4g}", with_text=with_text))
    return table


def _rates(profile: Profile, *, with_text: bool) -> Table:
    table = _table("rule", "role", "action", "found", "for example", "turn", "text" if with_text else "")
    for rate in profile.rates:
        first = rate.rows[:1]
        example: Sequence[str] = _cells(first[0], "", "", with_text=with_text) if first else ("", "", "", "")
        share = f"{rate.found:,} of {rate.of:,} ({rate.found / rate.of:.2%})"
        table.add_row(rate.rule, rate.role, rate.action, share, example[0], example[1], example[3])
    return table


def _cells(row: Beside, prefix: str, value: str, *, with_text: bool) -> tuple[str, str, str, str]:
    excerpt = " ".join(row.text.split())[:_EXCERPT] if with_text else ""
    return f"{prefix}{escape(row.conversation_id)}", "" if row.turn is None else str(row.turn), value, escape(excerpt)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="left" if position == 0 else "default", overflow="fold")
    return table
