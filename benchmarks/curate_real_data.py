"""Curate a JSONL file of turns from a fresh start, and print seconds a step, counts and peak memory.

    python benchmarks/curate_real_data.py ../shared/data/sgd_turns.jsonl.gz --config benchmarks/sgd.yml

The whole road is timed, output really written: session start, ingest, each step of the curation. Peak memory is the
largest resident memory by kind of process and of all together, sampled twice a second.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from measuring import PeakMemory

from finelake.config.loading import load_settings
from finelake.curate import curate
from finelake.ingest import ingest
from finelake.session import spark_session
from finelake.tables.names import source_ref


def main() -> None:
    """Run the benchmark and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--config", type=Path, required=True, help="settings; FOLDER in it is a fresh folder")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    memory = PeakMemory()
    memory.start()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(given.config, overrides=given.set, environment={**os.environ, "FOLDER": folder})
        spark = spark_session(settings.session, app_name="benchmark")
        started = time.monotonic()
        loaded = ingest(spark, str(given.file), source_ref(settings.source.table))
        ingested = time.monotonic()
        curation = curate(spark, settings)
        ended = time.monotonic()
        spark.stop()
    report = {
        "seconds": {
            "session": round(started - began, 1),
            "ingest": round(ingested - started, 1),
            **{step: round(seconds, 1) for step, seconds in curation.seconds.items()},
            "session and curation": round(started - began + ended - ingested, 1),
        },
        "peak memory MB": memory.stop(),
        "rows": loaded.rows,
        "balance": curation.balance.as_dict(),
        "rules": {code: [entry["action"], entry["count"]] for code, entry in curation.rules.items()},
        "tokens": {split: [item.examples, item.tokens, item.trained_tokens] for split, item in curation.files.items()},
        "sha256": {split: item.sha256 for split, item in curation.files.items()},
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
