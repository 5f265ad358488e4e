"""The commands. Each reads settings, gets a session, makes one call and renders what came of it.

Exit codes: 0 done (and, where models were compared, promote); 1 unexpected; 2 configuration; 3 input; 4 output;
5 service; 6 environment; 7 balance; 8 another driver works on the run; 9 leakage between splits; 10 hold; 11 reject;
12 refused by the plan; 13 promotion refused; 14 not reproduced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from finelake import __version__
from finelake.cli import render
from finelake.cli.context import Context, configured
from finelake.cli.job import job
from finelake.cli.lineage import diff, reproduce, runs
from finelake.cli.upkeep import erase, vacuum
from finelake.errors import PlanRefusedError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """Take raw conversations in Delta tables to a fine-tuned, deployed and compared chat model."""


@commands.command()
@click.argument("files")
@click.option(
    "--format", "file_format", type=click.Choice(["jsonl", "parquet", "csv"]), help="If the name does not say."
)
@configured
def ingest(context: Context, files: str, file_format: Any) -> None:
    """Load FILES (JSONL, also gzip, Parquet or CSV; a path or glob) into the raw table, once."""
    from finelake.ingest import ingest as load
    from finelake.tables.names import source_ref

    loaded = load(context.spark, files, source_ref(context.settings.source.table), file_format=file_format)
    context.show(render.ingested(loaded), render.ingested_json(loaded))


@commands.command()
@configured
def curate(context: Context) -> None:
    """Curate the raw table: conversations, examples, splits, ledger, published files."""
    context.show_curation(context.curate())


@commands.command()
@click.argument("source")
@click.option("--column", help="SOURCE is a Delta table; this column holds the lines.")
@configured
def prepare(context: Context, source: str, column: str | None) -> None:
    """Check, split and publish preference or reinforcement lines: JSONL files (a path or glob), or a Delta table."""
    from finelake.cli.prepared import prepared_view
    from finelake.prepare import describe
    from finelake.prepare_source import prepare_source

    with context.files():
        prepared = prepare_source(
            source, column=column, settings=context.settings, model=context.model, session=lambda: context.spark
        )
    context.show(prepared_view(prepared), {"prepare": describe(prepared)})


@commands.command()
@configured
def plan(context: Context) -> None:
    """Say before spending what training will come to; refuse what breaches a limit or is known to fail."""
    from finelake.training.plan.run import plan_job
    from finelake.training.plan.view import plan_view

    with context.files():
        made = plan_job(context.settings)
    context.show(plan_view(made), {"plan": made.as_dict()})
    context.exit(PlanRefusedError.exit_code if made.breaches else 0)


@commands.command()
@click.option("--take-over", is_flag=True, help="Take the run from a driver that seems to be alive but is not.")
@configured
def train(context: Context, take_over: bool) -> None:
    """Train on the published files and deploy the tuned model; goes on where an earlier start ended."""
    outcome = context.train(take_over=take_over)
    context.show(render.trained(outcome), render.as_json(outcome))


@commands.command()
@configured
def shards(context: Context) -> None:
    """Write the curated splits as Parquet shards, for training open models without the driver's memory."""
    from finelake.huggingface.publishing import publish_shards

    with context.files():
        manifest = publish_shards(context.spark, context.settings)
    context.show(render.shards(manifest, folder=str(context.settings.shards.folder)), {"shards": manifest})


@commands.command()
@click.option("--job", metavar="ID", help="Default: the job of the run that the configuration stands for.")
@configured
def cancel(context: Context, job: str | None) -> None:
    """End the fine-tuning job; what it did is billed."""
    context.control("cancel", job)


@commands.command()
@click.option("--job", metavar="ID", help="Default: the job of the run that the configuration stands for.")
@configured
def pause(context: Context, job: str | None) -> None:
    """Pause the fine-tuning job at a checkpoint; a driver that watches it goes on waiting."""
    context.control("pause", job)


@commands.command()
@click.option("--job", metavar="ID", help="Default: the job of the run that the configuration stands for.")
@configured
def resume(context: Context, job: str | None) -> None:
    """Let a paused fine-tuning job go on."""
    context.control("resume", job)


@commands.command()
@click.option("--yes", is_flag=True, help="Remove what is listed.")
@click.option("--run", metavar="ID", help="Only what this run left.")
@configured
def clean(context: Context, yes: bool, run: str | None) -> None:
    """List what failed runs left at the service (deployments, files), and remove it with --yes."""
    from finelake.training.clean import clean as cleaned

    found = cleaned(context.spark, context.settings, remove=yes, run=run)
    context.show(render.left_overs(found, removed=yes), [render.as_json(one) for one in found])


@commands.command()
@click.option("--take-over", is_flag=True, help="Take the evaluation from a driver that seems to be alive but is not.")
@configured
def evaluate(context: Context, take_over: bool) -> None:
    """Answer the test split with the tuned and the base model, compare, and give a verdict."""
    evaluation = context.evaluate(take_over=take_over)
    context.show(render.compared(evaluation), evaluation.as_dict())
    context.exit(evaluation.verdict.exit_code)


@commands.command()
@click.option("--run", metavar="ID", help="Default: the run that the configuration stands for.")
@click.option("--override", metavar="REASON", help="Promote without the verdict promote; the reason is kept.")
@click.option("--remove-previous", is_flag=True, help="Then remove what the alias stood for before.")
@click.option("--take-over", is_flag=True, help="Take the alias from a promotion that seems to be alive but is not.")
@configured
def promote(context: Context, run: str | None, override: str | None, remove_previous: bool, take_over: bool) -> None:
    """Deploy the judged model for use and let the alias stand for it; interrupted, the same goes on."""
    context.promote(run, override=override, remove_previous=remove_previous, take_over=take_over)


@commands.command()
@click.option("--reason", metavar="TEXT", help="Why; it is kept.")
@configured
def rollback(context: Context, reason: str | None) -> None:
    """Let the alias stand for what it stood for before."""
    context.rollback(reason)


@commands.command()
@configured
def aliases(context: Context) -> None:
    """Show which deployment each alias stands for, and stood for."""
    context.show_aliases()


@commands.command()
@configured
def run(context: Context) -> None:
    """Do all of it: curate, train, evaluate."""
    context.exit(context.run_all())


@commands.command()
@click.argument("conversation_id", required=False)
@configured
def why(context: Context, conversation_id: str | None) -> None:
    """Tell what became of a conversation, step by step; without an id, of rows that belong to no conversation."""
    from finelake.why import tell, tell_loose

    if conversation_id is None:
        loose = tell_loose(context.spark, context.settings)
        context.show(render.loose_rows(loose), [render.as_json(one) for one in loose])
        return
    story = tell(context.spark, context.settings, conversation_id)
    context.show(render.story(story), render.as_json(story))


@commands.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Default: the folder of the published files."
)
@configured
def report(context: Context, out: Path | None) -> None:
    """Write what the last curation did as a page (report.html) and as JSON (report.json)."""
    from finelake.report.build import build_report, published_manifest
    from finelake.report.write import write_report

    with context.files():
        manifest = published_manifest(context.settings)
        built = build_report(context.spark, context.settings, manifest=manifest)
        files = write_report(built, out or context.settings.output.path)
    context.show(render.reported(files), {"report": render.as_json(files)})


@commands.command()
@click.option("--conversations", default=20_000, show_default=True, help="Size of the sample.")
@click.option("--tail", default=0.005, show_default=True, help="Share of the values that a proposed line leaves out.")
@click.option("--rows", default=3, show_default=True, help="Rows to show on either side of a line.")
@click.option("--text", is_flag=True, help="Show excerpts of these rows, without personal data.")
@configured
def profile(context: Context, conversations: int, tail: float, rows: int, text: bool) -> None:
    """Measure the raw table by each rule about replies and propose thresholds; nothing is changed."""
    from finelake.cli.profile_view import profile_view
    from finelake.profile.profile import profile as measure

    found = measure(context.spark, context.settings, conversations=conversations, tail=tail, beside=rows)
    context.show(profile_view(found, with_text=text), render.as_json(found))


@commands.command()
@configured
def doctor(context: Context) -> None:
    """Check Java, Spark, Delta, credentials and endpoint, and say what to fix."""
    from finelake.doctor import run_checks

    checks = run_checks(context.settings, encoding=context.model.counting()[0])
    context.show(render.checks(checks), [render.as_json(check) for check in checks])
    context.exit(0 if all(check.ok for check in checks) else 6)


@commands.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=7, show_default=True)
@click.option("--conversations", default=900, show_default=True)
def sample(folder: Path, seed: int, conversations: int) -> None:
    """Write the sample (raw turns, planted defects' truth, tool definitions) into FOLDER."""
    from finelake.sample import write_sample

    files = write_sample(folder, seed=seed, conversations=conversations)
    click.echo(f"{files.raw_turns}: {files.lines:,} raw turns of {files.conversations} conversations (seed {seed}).")


@commands.command()
@click.option("--port", default=8040, show_default=True, help="0 takes a free one.")
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), default=Path(".finelake/service"))
@click.option("--api-key", envvar="FINELAKE_EMULATOR_KEY", default="", help="Default: $FINELAKE_EMULATOR_KEY.")
@click.option("--training-seconds", default=10.0, show_default=True, help="Least time a job trains.")
def emulator(port: int, state: Path, api_key: str, training_seconds: float) -> None:
    """Serve fine-tuning, deployments and chat on this machine: a rehearsal, not a language model."""
    from finelake.cli.service import start_in_foreground

    start_in_foreground(port=port, state=state, api_key=api_key, training_seconds=training_seconds)


@commands.command()
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path(".finelake"), show_default=True
)
@click.option("--port", default=8040, show_default=True)
@click.option("--keep-service", is_flag=True, help="Leave the local service running at the end.")
def demo(folder: Path, port: int, keep_service: bool) -> None:
    """Run the whole job on the shipped sample with the local service; killed and started again, it goes on."""
    from finelake.cli.demo import run_demo

    raise SystemExit(run_demo(folder, port=port, keep_service=keep_service))


for command in (runs, reproduce, diff, erase, vacuum, job):
    commands.add_command(command)


def main() -> None:
    """Run the command line; every error ends in one message and the exit code of its kind."""
    from finelake.cli.failures import explained_exit

    with explained_exit():
        commands(standalone_mode=True)
