"""Curate seeded six-turn chats: conversations a second, seconds a step, Spark jobs, passes over the text, memory.

    python benchmarks/curation.py                             # 100,000 chats: a cold run and three warm ones
    python benchmarks/curation.py --sizes 12500 25000 50000 100000 --warm 1     # growth, after a warm-up
    python benchmarks/curation.py --sizes 100000 1000000 --warm 1               # the bound at a million

Every run curates from the raw Delta table to published files, all written. `cold` is the first run of the session,
`warm` the median of the others of a size, `command` session start and first run. A read of the text is a stage that
reads at least a third as many bytes from tables as the text has.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import PeakMemory, StepWatch, Work, cpu_seconds, table
from pyspark.sql import SparkSession
from seeded_chats import write_turns

from finelake.config.loading import load_settings
from finelake.config.settings import Settings
from finelake.curate import Curation, curate
from finelake.session import spark_session

CONFIGURATION = Path(__file__).with_name("curation.yml")
A_READ_OF_THE_TEXT = 1 / 3
REASONS = {
    "read": "Rows are counted from Delta's log; the replies once, to count canned ones; tool calls, where mapped.",
    "annotate": "The raw table once, to map and group it; the ids once more, to find conversations of too many turns.",
    "relate": "The compared texts once for signatures, those of candidate pairs once more; all else is ids and hashes.",
    "decontaminate": "The lines three times: n-grams of held-out examples, where training ones may hold them, which.",
    "mix": "Nothing, unless topics or a token budget are set.",
    "decide": "The lines once, for the examples; once more for the quarantine, which keeps those of removed ones.",
    "balance": "Numbers of the written tables, none of their text.",
    "audit": "Ids, keys and splits of the written tables, none of their text.",
    "publish": "The lines once, to sort them into the files; the sort key once more, for the borders of the sort.",
}


@dataclass(frozen=True)
class Run:
    """One curation: seconds, CPU seconds by kind of process, the work of each step, MB of its tables on disk."""

    chats: int
    seconds: float
    cpu: dict[str, float]
    work: dict[str, Work]
    text_mb: float
    disk_mb: float
    curation: Curation

    @property
    def rate(self) -> float:
        """Conversations a second."""
        return self.chats / self.seconds

    def total(self, name: str) -> float:
        """Sum one figure over the steps."""
        return float(sum(getattr(each, name) for each in self.work.values()))

    def text_reads(self, step: str) -> int:
        """Count the stages of a step that read the text."""
        return sum(read >= A_READ_OF_THE_TEXT * self.text_mb for read in self.work[step].reads)


class Bench:
    """A session, a raw table of each size, and new tables for every run."""

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        self._folder, self._given, self._runs = folder, given, 0
        began = time.monotonic()
        self.spark: SparkSession = spark_session(self._settings(0).session, app_name="curation")
        self.session_seconds = time.monotonic() - began
        self._text_mb: dict[int, float] = {}

    def _settings(self, chats: int) -> Settings:
        place = {"FOLDER": str(self._folder / f"run-{self._runs}"), "RAW": str(self._folder / f"raw-{chats}")}
        return load_settings(self._given.config, overrides=self._given.set, environment={**os.environ, **place})

    def load(self, chats: int) -> None:
        """Write the raw table of a size."""
        files = self._folder / "files"
        self._text_mb[chats] = write_turns(files, chats) / 1e6
        self.spark.read.parquet(str(files)).write.format("delta").save(self._settings(chats).source.table)
        shutil.rmtree(files)

    def run(self, chats: int) -> Run:
        """Curate the table of a size from its beginning, into tables that nothing has touched before."""
        self._runs += 1
        settings = self._settings(chats)
        watch, before = StepWatch(self.spark), cpu_seconds()
        began = time.monotonic()
        curation = curate(self.spark, settings, observer=watch)
        seconds = time.monotonic() - began
        cpu = {kind: round(after - before[kind], 1) for kind, after in cpu_seconds().items()}
        written = self._folder / f"run-{self._runs}"
        disk = sum(file.stat().st_size for file in (written / "tables").rglob("*") if file.is_file()) / 1e6
        shutil.rmtree(written)
        done = Run(chats, seconds, cpu, watch.work(), self._text_mb[chats], disk, curation)
        sys.stderr.write(f"{chats} chats: {seconds:.1f} s, CPU {cpu}\n")
        return done


def middle(runs: Sequence[Run]) -> Run:
    """Give the run with the median time."""
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def steps_table(run: Run) -> str:
    """Lay out the work of each step."""
    rows: list[list[object]] = [["step", "s", "jobs", "of Delta", "text reads", "MB read", "shuffled", "written"]]
    for step, work in run.work.items():
        sizes = (work.read, work.shuffled, work.written)
        rows.append([step, work.seconds, work.jobs, work.delta_jobs, run.text_reads(step), *sizes])
    sums = [run.total(name) for name in ("read", "shuffled", "written")]
    reads = sum(run.text_reads(step) for step in run.work)
    rows.append(["sum", run.seconds, int(run.total("jobs")), int(run.total("delta_jobs")), reads, *sums])
    reasons = [f"  {step}: {REASONS.get(step, 'no reason is given here')}" for step in run.work]
    return "\n".join([table(rows), "why the text is read:", *reasons])


def growth_table(runs: Sequence[Run]) -> str:
    """Lay out how the cost of a conversation grows with their number."""
    heads = (
        "conversations/s",
        "ms CPU each",
        "times the first",
        "shuffled KB each",
        "tasks",
        "spilt MB",
        "disk KB each",
    )
    rows: list[list[object]] = [["chats", "s", *heads]]
    first = runs[0].seconds / runs[0].chats
    for run in runs:
        each = 1000 / run.chats
        cpu, times = sum(run.cpu.values()) * each, run.seconds / run.chats / first
        costs = (run.rate, cpu, times, run.total("shuffled") * each, int(run.total("tasks")), run.total("spilt"))
        rows.append([run.chats, run.seconds, *costs, run.disk_mb * each])
    return table(rows)


def as_dict(run: Run) -> dict[str, Any]:
    """Give a run as the JSON lists it."""
    return {
        "chats": run.chats,
        "seconds": round(run.seconds, 2),
        "conversations_per_second": round(run.rate),
        "cpu_seconds": run.cpu,
        "text_mb": round(run.text_mb, 1),
        "disk_mb": round(run.disk_mb, 1),
        "steps": {step: work.as_dict() | {"text_reads": run.text_reads(step)} for step, work in run.work.items()},
        "balance": run.curation.balance.as_dict(),
        "rules": {code: entry["count"] for code, entry in run.curation.rules.items()},
        "sha256": {split: item.sha256 for split, item in run.curation.files.items()},
    }


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run every size cold or warm, print the tables and give all figures."""
    memory = PeakMemory()
    memory.start()
    bench = Bench(folder, given)
    cold: Run | None = None
    warm: list[Run] = []
    for chats in given.sizes:
        bench.load(chats)
        cold = cold or bench.run(chats)
        if given.warm:
            warm.append(middle([bench.run(chats) for _ in range(given.warm)]))
    bench.spark.stop()
    assert cold is not None
    chosen = warm or [cold]
    command = bench.session_seconds + cold.seconds
    rates = ", ".join(f"{run.rate:,.0f} conversations/s at {run.chats:,}" for run in chosen)
    parts = [
        f"{rates} ({'warm' if warm else 'cold'}); first run in the session {cold.seconds:.1f} s at {cold.chats:,}, "
        f"whole command {command:.1f} s",
        growth_table(chosen),
        steps_table(chosen[-1]),
        f"peak memory MB: {json.dumps(memory.stop())}",
    ]
    sys.stdout.write("\n\n".join(parts) + "\n")
    return {
        "session_seconds": round(bench.session_seconds, 1),
        "cold": as_dict(cold),
        "warm": [as_dict(run) for run in warm],
        "peak_memory_mb": memory.peaks_mb,
    }


def main() -> None:
    """Run the benchmark; prints tables and, as the last line, a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000], metavar="CHATS")
    parser.add_argument("--warm", type=int, default=3, help="warm runs a size")
    parser.add_argument("--config", type=Path, default=CONFIGURATION, help="settings; RAW and FOLDER are given")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        found = measure(given, folder)
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
