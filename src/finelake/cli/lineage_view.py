"""Runs, reproductions and differences as a terminal shows them, and as plain JSON values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from finelake.lineage.configuration import Change
    from finelake.lineage.diff import RunDiff
    from finelake.lineage.examples import ExamplesChanged
    from finelake.lineage.listing import ListedRun
    from finelake.lineage.reproduce import Reproduction
    from finelake.lineage.thread import Thread

_LONGEST = 60


def as_json(run: ListedRun) -> dict[str, Any]:
    """Give a listed run as plain JSON values."""
    return {**asdict(run), "recorded_at": run.recorded_at.isoformat()}


def listed(runs: Sequence[ListedRun]) -> RenderableType:
    """Show runs, one a line."""
    if not runs:
        return Text("No run is recorded yet. `finelake curate` is the first.")
    table = _table("run", "kind", "recorded (UTC)", "state", "hangs on", "")
    for run in runs:
        at = f"{run.recorded_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(run.run_id, run.kind, at, run.state, run.parent or "", _facts(run))
    return table


def whole(thread: Thread) -> RenderableType:
    """Show a run's manifest."""
    return Text(json.dumps(thread.as_dict(), ensure_ascii=False, indent=2))


def reproduced(found: Reproduction) -> RenderableType:
    """Show the hashes as recorded and as rebuilt, and what differs where they do."""
    table = _table("file", "recorded", "rebuilt", "examples", "")
    for file in found.files:
        counts = f"{file.recorded_examples:,}"
        if file.rebuilt_examples != file.recorded_examples:
            counts += f", now {file.rebuilt_examples:,}"
        mark = Text("equal", style="green") if file.equal else Text("different", style="bold red")
        table.add_row(file.file, file.recorded[:16], file.rebuilt[:16], counts, mark)
    lines = [Text(f"Run {found.run_id}: {'the very same files' if found.equal else 'other files'}", style="bold")]
    notes = [f"rule {code}: {then:,} then, {now:,} now" for code, (then, now) in found.rules.items()]
    notes += [f"code: {found.code}"] if found.code else []
    notes += [f"rebuilt in {found.folder}"] if found.folder else []
    return Group(*lines, table, *(Text(note) for note in notes))


def changed(found: RunDiff) -> RenderableType:
    """Show what changed, part by part."""
    parts: list[RenderableType] = [Text(f"From {found.before} to {found.after}", style="bold")]
    parts += _part("data", found.data)
    parts += _examples(found.examples)
    for title, changes in (("configuration", found.configuration), ("code", found.code), ("training", found.training)):
        parts += _part(title, changes)
    parts += _part("verdict", found.verdict)
    parts += _scores(found.scores)
    return Group(*parts)


def _part(title: str, changes: Sequence[Change] | None) -> Iterator[RenderableType]:
    if changes is None:
        yield Text(f"{title}: not in both runs")
    elif not changes:
        yield Text(f"{title}: no change")
    else:
        table = _table(title, "before", "after")
        for change in changes:
            table.add_row(change.key, _value(change.before), _value(change.after))
        yield table


def _examples(found: Sequence[ExamplesChanged] | str | None) -> Iterator[RenderableType]:
    if found is None:
        yield Text("examples: not in both runs")
    elif isinstance(found, str):
        yield Text(found)
    else:
        table = _table("examples", "before", "after", "count")
        for one in found:
            kind = f"{one.kind}, moved" if one.moved else one.kind
            table.add_row(kind, one.before or "", one.after or "", f"{one.examples:,}")
        yield table


def _scores(scores: Mapping[str, Sequence[Mapping[str, Any] | None]] | None) -> Iterator[RenderableType]:
    if scores is None:
        yield Text("scores: not in both runs")
        return
    table = _table("tuned against base", "before", "after")
    for name, (before, after) in scores.items():
        table.add_row(name, _difference(before), _difference(after))
    yield table


def _difference(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    interval = found["interval"]
    told = f"{found['base_mean']:.3f} to {found['tuned_mean']:.3f} ({found['difference']:+.3f}"
    return f"{told}; {interval['low']:+.3f} to {interval['high']:+.3f})" if interval else f"{told})"


def _facts(run: ListedRun) -> str:
    facts = run.facts
    if run.kind == "curation":
        files: Mapping[str, Mapping[str, Any]] = facts["files"]
        return ", ".join(f"{split} {item['examples']:,}" for split, item in files.items())
    if run.kind == "training":
        return str(facts["fine_tuned_model"] or facts["job_id"] or facts["model"] or "")
    return f"{facts['gate']} {_difference(facts['gain'])}" if facts["gain"] else ""


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
