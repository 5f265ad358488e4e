"""The demo: the whole job on the shipped sample, against the local service, in one folder.

It uses the same commands and configuration as a real run. Everything it does can be repeated: started again after it
was killed, it finds what is done and goes on.
"""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path

from rich.table import Table

from finelake.cli import render
from finelake.cli.context import Context, start_logging
from finelake.config.loading import load_settings
from finelake.config.settings import Settings
from finelake.ingest import ingest
from finelake.publish import MANIFEST
from finelake.sample import write_sample
from finelake.services.local import ensure_service, stop_service
from finelake.tables.names import source_ref

KEY_VARIABLE = "FINELAKE_EMULATOR_KEY"
TRAINING_SECONDS = 15.0


def run_demo(folder: Path, *, port: int, keep_service: bool) -> int:
    """Run the demo in a folder and give the verdict's exit code."""
    start_logging(verbose=False)
    os.environ.setdefault(KEY_VARIABLE, "rehearsal")
    variables = {**os.environ, "FINELAKE_DEMO": str(folder), "FINELAKE_DEMO_PORT": str(port)}
    with as_file(files("finelake.conf") / "local.yml") as path:
        settings = load_settings(path, environment=variables)
    sample = write_sample(folder / "sample")
    service = ensure_service(
        port=port,
        state=folder / "service",
        api_key=os.environ[KEY_VARIABLE],
        options={"training_seconds": TRAINING_SECONDS},
    )
    try:
        context = Context(settings, as_json=False)
        loaded = ingest(context.spark, str(sample.raw_turns), source_ref(settings.source.table))
        context.show(render.ingested(loaded), None)
        code = context.run_all()
    finally:
        if not keep_service:
            stop_service(service.pid)
    context.show(_where_to_look(settings, folder), None)
    return code


def _where_to_look(settings: Settings, folder: Path) -> Table:
    output = settings.output.path
    table = Table(title="Where to look", title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_row(f"{output}/*.jsonl", "the published files: train, validation, test")
    table.add_row(f"{output / MANIFEST}", "what they are made of")
    table.add_row(f"{output / 'evaluation.html'}", "tuned against base, the verdict, and answers to read")
    table.add_row(settings.tables.location, "Delta tables: examples, quarantine, ledger, runs, answers, scores")
    table.add_row(f"{folder / 'sample' / 'truth.jsonl'}", "the defects planted in the sample")
    table.caption = "The service was a rehearsal: an n-gram model that answers by retrieval, not a language model."
    table.caption_justify = "left"
    return table
