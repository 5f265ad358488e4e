"""The commands that take things away for good: conversations on request, and what Delta keeps of deleted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from finelake.cli.context import Context, configured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finelake.erasure.erase import Erasure
    from finelake.erasure.vacuum import Vacuumed


@click.command()
@click.option("--conversation", "conversations", multiple=True, metavar="ID", help="Repeat it for several.")
@click.option("--user", "users", multiple=True, metavar="ID", help="All conversations of this user.")
@click.option("--requests", metavar="TABLE", help="A Delta table with a column conversation_id, user_id, or both.")
@click.option("--reference", metavar="TEXT", help="A ticket's number or the like; it is kept.")
@click.option("--raw", is_flag=True, help="Delete the rows of the raw table too.")
@configured
def erase(
    context: Context,
    conversations: tuple[str, ...],
    users: tuple[str, ...],
    requests: str | None,
    reference: str | None,
    raw: bool,
) -> None:
    """Erase conversations from every table and file, curate without them, and keep them out for good."""
    from finelake.cli.progress import StepProgress
    from finelake.erasure.erase import erase as erase_now

    if not (conversations or users or requests):
        raise click.UsageError("Name what to erase: --conversation ID, --user ID or --requests TABLE.")
    with context.files(), StepProgress(context.console) as progress:
        done = erase_now(
            context.spark,
            context.settings,
            conversations=conversations,
            users=users,
            requests=requests,
            reference=reference,
            raw=raw,
            observer=progress,
        )
    context.show(_erased(done), {"erase": [one.as_dict() for one in done]})


@click.command()
@click.option("--raw", is_flag=True, help="The raw table too.")
@configured
def vacuum(context: Context, raw: bool) -> None:
    """Remove what tables keep of deleted rows beyond their retention; older runs cannot be reproduced then."""
    from finelake.erasure.vacuum import vacuum as vacuum_now

    done = vacuum_now(context.spark, context.settings, raw=raw)
    context.show(_vacuumed(done), {"vacuum": [{"table": one.table, "retention": one.retention} for one in done]})


def _erased(done: Sequence[Erasure]) -> RenderableType:
    lines = [] if done else ["All of it was erased before; nothing is left to do."]
    for one in done:
        lines.append(f"Request {one.request}: {one.conversations} conversations are erased.")
        lines += [f"  {rows} rows of {name}" for name, rows in one.rows.items() if rows]
        lines += [f"  {len(one.files)} files; curation {one.curation.run_id} has written those that it writes anew"]
        for model in one.models:
            held = "may have been" if model.examples is None else "were"
            lines.append(f"Training run {model.run_id} ({model.model or 'no model'}): they {held} in its files.")
    if done:
        lines.append("Old versions of the tables hold them until `finelake vacuum`, a week from now by default.")
    return Text("\n".join(lines), overflow="fold")


def _vacuumed(done: Sequence[Vacuumed]) -> RenderableType:
    table = Table("table", "keeps deleted rows for")
    for one in done:
        table.add_row(one.table, one.retention)
    return table
