"""Curate a table that grew by a day: seconds of the increment beside those of a run that does everything.

    python benchmarks/increments.py --chats 100000 --new 1000 --late 500

The raw table keeps a change data feed. After a first run, new chats are appended, and late turns to chats that were
there; then the increment by the feed, one by comparing hashes, and a full run are timed, each from the same state.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import table
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from seeded_chats import write_turns

from finelake.config.loading import load_settings
from finelake.config.settings import Settings
from finelake.curate import curate
from finelake.session import spark_session

CONFIGURATION = Path(__file__).with_name("curation.yml")
WAYS = ("feed", "compare", "off")


def settings_in(folder: Path, *, way: str = "auto") -> Settings:
    """Give the benchmark's settings for a lake in a folder; its raw table is shared."""
    place = {"FOLDER": str(folder), "RAW": str(folder.parent / "raw")}
    return load_settings(CONFIGURATION, overrides=[f"increments.mode={way}"], environment={**os.environ, **place})


def load(spark: SparkSession, folder: Path, *, chats: int, new: int) -> None:
    """Write the chats of the first day as the raw table, and those of the second beside it."""
    write_turns(folder / "files", chats + new)
    every = spark.read.parquet(str(folder / "files"))
    first_new = F.lit(f"chat-{chats:09d}")
    every.where(F.col("conversation_id") >= first_new).write.parquet(str(folder / "second-day"))
    first = every.where(F.col("conversation_id") < first_new)
    first.write.format("delta").option("delta.enableChangeDataFeed", "true").save(str(folder / "raw"))


def grow(spark: SparkSession, folder: Path, *, late: int) -> None:
    """Append the second day: its chats, and two more turns of some of the first day's."""
    raw = spark.read.format("delta").load(str(folder / "raw"))
    chosen = raw.where((F.col("turn_index") < 2) & (F.col("conversation_id") < F.lit(f"chat-{late:09d}")))
    turns = chosen.withColumn("turn_index", F.col("turn_index") + 6)
    turns = turns.withColumn("sent_at", F.expr("sent_at + interval 1 hour"))
    new = spark.read.parquet(str(folder / "second-day")).unionByName(turns)
    new.write.format("delta").mode("append").save(str(folder / "raw"))


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Curate the first day in a lake for each way, then the second day by each."""
    spark = spark_session(settings_in(folder / "lake").session, app_name="increments")
    load(spark, folder, chats=given.chats, new=given.new)
    for way in WAYS:
        curate(spark, settings_in(folder / way))
    grow(spark, folder, late=given.late)
    found: dict[str, Any] = {}
    for way in WAYS:
        began = time.monotonic()
        done = curate(spark, settings_in(folder / way, way=way))
        seconds = time.monotonic() - began
        manifest = json.loads((done.folder / "manifest.json").read_text(encoding="utf-8"))
        hashes = {split: file.sha256 for split, file in done.files.items()}
        found[way] = {
            "s": round(seconds, 2),
            "steps": done.seconds,
            "increment": manifest["increment"],
            "files": hashes,
        }
    spark.stop()
    assert found["feed"]["files"] == found["compare"]["files"] == found["off"]["files"]
    return found


def main() -> None:
    """Run the benchmark; prints ratios, a table and a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=1_000)
    parser.add_argument("--late", type=int, default=500)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        found = measure(given, folder)
    finally:
        shutil.rmtree(folder)
    whole = found["off"]["s"]
    for way in WAYS[:-1]:
        sys.stdout.write(f"increment by {way} / full run: {found[way]['s'] / whole:.2f}\n")
    rows: list[list[object]] = [["way", "s", "annotate s", "conversations passed through"]]
    for way in WAYS:
        item = found[way]
        rows.append([way, item["s"], item["steps"]["annotate"], str(item["increment"]["rebuilt"] or "all")])
    sys.stdout.write(table(rows) + "\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
