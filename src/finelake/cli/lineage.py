"""The commands about runs that were: list them, make their files again, compare two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from finelake.cli import lineage_view
from finelake.cli.context import Context, configured


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="At most so many.")
@click.option("--kind", type=click.Choice(["curation", "training", "evaluation"]), help="Only these.")
@click.option("--show", "run", metavar="RUN", help="The whole manifest of this run, as JSON.")
@configured
def runs(context: Context, limit: int, kind: Any, run: str | None) -> None:
    """List curations, training runs and evaluations, newest first."""
    from finelake.lineage.listing import list_runs
    from finelake.lineage.thread import find_thread

    if run is not None:
        thread = find_thread(context.spark, context.settings, run)
        context.show(lineage_view.whole(thread), thread.as_dict())
        return
    found = list_runs(context.spark, context.settings, limit=limit, kind=kind)
    context.show(lineage_view.listed(found), [lineage_view.as_json(one) for one in found])


@click.command()
@click.argument("run")
@click.option("--scratch", type=click.Path(file_okay=False, path_type=Path), help="Default: a folder that is removed.")
@click.option("--tables", metavar="PLACE", help="Scratch tables: a folder or catalog.schema. Default: in --scratch.")
@click.option("--any-code", is_flag=True, help="Try it although the run was made by other code.")
@configured
def reproduce(context: Context, run: str, scratch: Path | None, tables: str | None, any_code: bool) -> None:
    """Make the files of RUN again from Delta's history, in a scratch folder, and compare their hashes."""
    from finelake.cli.progress import StepProgress
    from finelake.lineage.reproduce import EXIT_DIFFERENT
    from finelake.lineage.reproduce import reproduce as make_again

    with StepProgress(context.console) as progress:
        found = make_again(
            context.spark,
            context.settings,
            run,
            folder=scratch,
            tables=tables,
            any_code=any_code,
            observer=progress,
        )
    context.show(lineage_view.reproduced(found), found.as_dict())
    context.exit(0 if found.equal else EXIT_DIFFERENT)


@click.command()
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@configured
def diff(context: Context, before: str, after: str) -> None:
    """Say what changed from the first RUN to the second: data, configuration, code and scores."""
    from finelake.lineage.diff import diff as compare

    found = compare(context.spark, context.settings, before, after)
    context.show(lineage_view.changed(found), found.as_dict())
