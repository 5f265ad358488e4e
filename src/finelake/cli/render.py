"""Results as a terminal shows them, and as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from finelake.check import Check
    from finelake.curate import Curation
    from finelake.evaluation.results import Evaluation
    from finelake.ingest import Ingested
    from finelake.report.write import ReportFiles
    from finelake.tables.aliases import AliasEntry
    from finelake.training.clean import LeftOver
    from finelake.training.outcome import TrainingOutcome
    from finelake.training.promotion.desk import Promoted
    from finelake.why import LooseRows, Story


def as_json(result: Any) -> Any:
    """Give a result (a dataclass) as plain JSON values."""
    return asdict(result)


def ingested(loaded: Ingested) -> RenderableType:
    """Say what was loaded."""
    what = "these files were loaded before; nothing changed" if loaded.already_loaded else "loaded"
    return Text(f"{loaded.table}: {what}. {loaded.rows:,} rows at version {loaded.version}.")


def ingested_json(loaded: Ingested) -> dict[str, Any]:
    """Give a load as plain JSON values."""
    return {**asdict(loaded), "table": str(loaded.table)}


def shards(manifest: Mapping[str, Any], *, folder: str) -> RenderableType:
    """Show what was written for each split."""
    view = _table("split", "shards", "examples", "tokens", "trained tokens", "bytes")
    for split, found in manifest["splits"].items():
        counts = (len(found["shards"]), *(found[key] for key in ("rows", "tokens", "trained_tokens", "bytes")))
        view.add_row(split, *(f"{count:,}" for count in counts))
    return Group(Text(f"Shards of curation {manifest['run_id']} in {folder}"), view)


def curated(curation: Curation) -> RenderableType:
    """Show where every row went, what each rule did, and what was published."""
    balance = curation.balance
    outcomes = _table("outcome", "conversations", "raw rows")
    outcomes.add_row("kept", f"{balance.conversations_kept:,}", f"{balance.rows_kept:,}")
    outcomes.add_row(
        "quarantined",
        f"{balance.conversations_quarantined:,}",
        f"{balance.rows_quarantined:,} ({balance.loose_rows:,} without a conversation)",
    )
    outcomes.add_row("merged", f"{balance.conversations_merged:,}", f"{balance.rows_merged:,}")
    outcomes.add_row("in", f"{balance.conversations:,}", f"{balance.rows_in:,}", style="bold")
    rules = _table("rule", "action", "conversations or rows")
    for code, entry in curation.rules.items():
        rules.add_row(code, str(entry["action"]), f"{entry['count']:,}")
    files = _table("file", "examples", "tokens", "trained tokens", "bytes", "sha256")
    for item in curation.files.values():
        files.add_row(
            item.file,
            f"{item.examples:,}",
            f"{item.tokens:,}",
            f"{item.trained_tokens:,}",
            f"{item.bytes:,}",
            item.sha256[:16],
        )
    title = f"Curation {curation.run_id} in {curation.folder}"
    note = " was done before and is up to date." if curation.up_to_date else ""
    hint = Text(
        "finelake report writes this and more as a page; finelake why ID tells of one conversation.", style="dim"
    )
    return Group(Text(title + note, style="bold"), outcomes, rules, files, hint)


def reported(files: ReportFiles) -> RenderableType:
    """Say where the report is."""
    return Text(f"Report of run {files.run_id}: {files.page} (the same as JSON: {files.json})", overflow="fold")


def trained(outcome: TrainingOutcome) -> RenderableType:
    """Show what a training run left behind."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in asdict(outcome).items():
        if value is None or value == ():
            continue
        shown = "\n".join(value) if isinstance(value, tuple) else f"{value:,.1f}" if isinstance(value, float) else value
        table.add_row(name.replace("_", " "), str(shown))
    return Group(Text(f"Training run {outcome.run_id}", style="bold"), table)


def promoted(done: Promoted) -> RenderableType:
    """Say what an alias stands for now."""
    entry = done.entry
    now = f"Alias {entry.alias} stands for {entry.deployment} ({entry.model}), change {entry.sequence}"
    lines = [now + ("." if done.changed else ", as before.")]
    if done.previous:
        lines.append(f"{done.previous} stays until `finelake promote --remove-previous`.")
    if done.removed:
        lines = [lines[0], f"Removed: {', '.join(done.removed)}."]
    if done.portal:
        lines.append(done.portal)
    return Text("\n".join(lines), overflow="fold")


def aliases(entries: Sequence[AliasEntry]) -> RenderableType:
    """Show every change of every alias; the last one of each counts."""
    table = _table("alias", "change", "action", "deployment", "model", "sku", "run", "verdict", "reason", "at")
    last = {entry.alias: entry.sequence for entry in entries}
    for entry in entries:
        table.add_row(
            entry.alias,
            str(entry.sequence),
            entry.action,
            entry.deployment,
            entry.model,
            entry.sku,
            entry.run_id,
            entry.verdict,
            entry.reason or "",
            f"{entry.recorded_at:%Y-%m-%d %H:%M}",
            style="bold" if entry.sequence == last[entry.alias] else "",
        )
    return table if entries else Text("No alias was promoted yet.")


def compared(evaluation: Evaluation) -> RenderableType:
    """Show the comparison and its verdict."""
    from finelake.evaluation.display import comparison_view

    return comparison_view(evaluation)


def story(told: Story) -> RenderableType:
    """Show a conversation's story."""
    table = _table("step", "action", "reason", "turns", "value", "threshold", "meaning")
    for chapter in told.chapters:
        turns = ", ".join(str(turn) for turn in chapter.turns[:12]) + (" ..." if len(chapter.turns) > 12 else "")
        table.add_row(
            chapter.step,
            chapter.action,
            chapter.reason,
            turns,
            chapter.value or "",
            chapter.threshold or "",
            chapter.meaning,
        )
    return Group(Text(f"Conversation {told.conversation_id}, run {told.run_id}", style="bold"), table, Text(_end(told)))


def loose_rows(found: Sequence[LooseRows]) -> RenderableType:
    """Show how many raw rows belong to no conversation, by reason."""
    if not found:
        return Text("Every raw row belongs to a conversation. Name one: finelake why ID")
    table = _table("reason", "rows", "meaning")
    for one in found:
        table.add_row(one.reason, f"{one.rows:,}", one.meaning)
    table.caption = f"Raw rows without a conversation. They stand in {found[0].where}, with unit = 'row'."
    return table


def left_overs(found: Sequence[LeftOver], *, removed: bool) -> RenderableType:
    """Show what failed runs left, and what was done with it."""
    if not found:
        return Text("No failed run left anything at the service.")
    table = _table("run", "what", "name", "")
    for one in found:
        table.add_row(one.run_id, one.kind, one.name, one.note)
    table.caption = (
        "Deployments and files above are removed; jobs stay." if removed else "Nothing was removed. --yes removes it."
    )
    return table


def checks(found: Sequence[Check]) -> RenderableType:
    """Show the doctor's checks, with what to do about those that failed."""
    table = _table("", "check", "found", "what to do")
    for check in found:
        mark = Text("ok", style="green") if check.ok else Text("fix", style="bold red")
        table.add_row(mark, check.name, check.detail, "" if check.ok else (check.remedy or ""))
    return table


def _end(told: Story) -> str:
    rows = f"{told.rows_in:,} raw rows came in. "
    if told.outcome == "keep":
        examples = "The example is" if told.examples == 1 else f"Its {told.examples:,} examples are"
        return f"{rows}Kept: split {told.split}, {told.tokens:,} tokens. {examples} in {told.where}."
    if told.outcome == "merge":
        return f"{rows}Merged: conversation {told.kept_id} is kept instead. Its annotation is in {told.where}."
    return f"{rows}Quarantined for {told.reason}. The turns are in {told.where}."


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="left" if position == 0 else "default", overflow="fold")
    return table
