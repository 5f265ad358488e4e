"""The demo: the whole job on the shipped sample, against the local service, in one folder.

It uses the same commands and configuration as a real run. Everything it does can be repeated: started again after it
was killed, it finds what is done and goes on.
"""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console

from finelake.cli import render
from finelake.cli.context import Context, start_logging
from finelake.cli.service import ensure_service, stop_service
from finelake.config.loading import load_settings
from finelake.ingest import ingest
from finelake.sample import write_sample
from finelake.tables.names import source_ref

KEY_VARIABLE = "FINELAKE_EMULATOR_KEY"
TRAINING_SECONDS = 15.0


def run_demo(folder: Path, *, port: int, keep_service: bool) -> int:
    """Run the demo in a folder and give the verdict's exit code."""
    start_logging(verbose=False)
    console = Console()
    os.environ.setdefault(KEY_VARIABLE, "rehearsal")
    variables = {**os.environ, "FINELAKE_DEMO": str(folder), "FINELAKE_DEMO_PORT": str(port)}
    with as_file(files("finelake.conf") / "local.yml") as path:
        settings = load_settings(path, environment=variables)
    sample = write_sample(folder / "sample")
    pid = ensure_service(
        port=port, state=folder / "service", api_key=os.environ[KEY_VARIABLE], training_seconds=TRAINING_SECONDS
    )
    try:
        context = Context(settings, as_json=False)
        loaded = ingest(context.spark, str(sample.raw_turns), source_ref(settings.source.table))
        context.show(render.ingested(loaded), None)
        code = context.run_all()
    finally:
        if not keep_service:
            stop_service(pid)
    _say_where_to_look(console, context, folder)
    return code


def _say_where_to_look(console: Console, context: Context, folder: Path) -> None:
    output = Path(context.settings.output.folder)
    rejected = folder / "sample" / "truth.jsonl"
    console.print(
        f"""
Where to look
  {output}/train.jsonl, validation.jsonl, test.jsonl   the published files
  {output}/manifest.json                               what they are made of
  {output}/comparison.md                               tuned against base, and the verdict
  {context.settings.tables.location}                   Delta tables: examples, quarantine, ledger, runs, answers, scores
  {rejected}                                           the defects planted in the sample
The service was a rehearsal: an n-gram model that answers by retrieval, not a language model.""",
        highlight=False,
        soft_wrap=True,
    )
