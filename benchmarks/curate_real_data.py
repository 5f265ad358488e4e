"""Curate a JSONL file of turns from a fresh start, and print seconds a step, counts and peak memory.

    python benchmarks/curate_real_data.py ../shared/data/sgd_turns.jsonl.gz --config benchmarks/sgd.yml

The whole road is timed, output really written: session start, ingest, each step of the curation. Peak memory is the
largest sum of resident memory of this process and all its children (JVM, Python workers), sampled twice a second;
pages that several of them share count once for each.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from finelake.config.loading import load_settings
from finelake.curate import curate
from finelake.ingest import ingest
from finelake.session import spark_session
from finelake.tables.names import source_ref

SAMPLE_SECONDS = 0.5


class PeakMemory(threading.Thread):
    """Samples the resident memory of this process and its children until stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()
        self.peak = 0

    def run(self) -> None:
        own = psutil.Process()
        while not self._stopped.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(_resident(each) for each in [own, *own.children(recursive=True)]))

    def stop(self) -> int:
        """Stop and give the peak in bytes."""
        self._stopped.set()
        self.join()
        return self.peak


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


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
        "peak memory MB": round(memory.stop() / 1e6),
        "rows": loaded.rows,
        "balance": curation.balance.as_dict(),
        "rules": {code: [entry["action"], entry["count"]] for code, entry in curation.rules.items()},
        "tokens": {split: [item.examples, item.tokens, item.trained_tokens] for split, item in curation.files.items()},
        "sha256": {split: item.sha256 for split, item in curation.files.items()},
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
