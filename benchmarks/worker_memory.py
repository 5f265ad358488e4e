"""The memory of Spark's Python workers with long messages: the peak of each pass over one partition.

    python benchmarks/worker_memory.py --conversations 2000 --characters 100000

A serverless user-defined function has 1 GB. The peak is what Linux reports of each worker (VmHWM), which is set back
before each pass; what earlier passes left in the worker is part of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.annotate.one_pass import annotate
from finelake.annotate.plan import plan_pass
from finelake.config.models import load_catalogue
from finelake.config.settings import SessionSettings, Settings
from finelake.contamination.grams import GramSize
from finelake.contamination.scan import filter_of_texts
from finelake.conversations.assemble import assemble
from finelake.conversations.mapping import map_rows
from finelake.profile.profile import measured
from finelake.relate.signatures import signed
from finelake.session import spark_session

SETTINGS = {
    "project": "memory",
    "model": "gpt-4.1-mini-2025-04-14",
    "source": {"table": "raw", "columns": {"turn_index": "n"}, "roles": {"user": "user", "agent": "assistant"}},
    "duplicates": {"near": True},
}
TURN = "conversation_id string, n int, author string, text string"
SENTENCE = "please tell me where my order of last week is because nothing came and nobody answers "
WORKER = "pyspark.daemon"


def raw_turns(spark: SparkSession, *, conversations: int, characters: int) -> DataFrame:
    """Make conversations of one long question, different in each, and a short answer."""
    number = F.col("id").cast("string")
    question = F.repeat(F.concat(F.lit(SENTENCE), number, F.lit(" ")), characters // (len(SENTENCE) + 4))
    turns = F.array(
        F.struct(F.lit(0).alias("n"), F.lit("user").alias("author"), question.alias("text")),
        F.struct(F.lit(1).alias("n"), F.lit("agent").alias("author"), F.lit("It comes on Tuesday.").alias("text")),
    )
    return spark.range(conversations).select(number.alias("conversation_id"), F.inline(turns))


def passes(raw: DataFrame, folder: Path) -> dict[str, Callable[[], DataFrame]]:
    """Give each pass over one partition by name; what the first gives is written for the others to read."""
    settings = Settings.model_validate(SETTINGS)
    plan = plan_pass(settings, load_catalogue(None), {})
    spark = raw.sparkSession
    mapped = map_rows(raw, settings.source, settings.origins)

    def annotated() -> DataFrame:
        whole = assemble(mapped, layout="turns", max_turns=400).coalesce(1)
        annotate(whole, plan=plan).write.parquet(str(folder / "annotated"))
        return spark.read.parquet(str(folder / "annotated"))

    def signatures() -> DataFrame:
        texts = spark.read.parquet(str(folder / "annotated")).coalesce(1)
        keyed = texts.select(F.col("conversation_id").alias("label"), "conversation_id", "compared")
        documents = keyed.withColumns({"group": F.lit(""), "since": F.lit(0), "content": F.xxhash64("compared")})
        return signed(documents, stored=None, config=settings.duplicates)

    def contamination() -> DataFrame:
        message = F.struct(F.lit("user").alias("role"), F.col("compared").alias("content"))
        texts = spark.read.parquet(str(folder / "annotated")).coalesce(1).select(F.array(message).alias("messages"))
        filter_of_texts(texts, size=GramSize(words=13, min_words=5))
        return texts.limit(0)

    def profile() -> DataFrame:
        return measured(raw, settings, 1_000_000)

    return {"annotate": annotated, "signatures": signatures, "contamination": contamination, "profile": profile}


def peaks(work: dict[str, Callable[[], DataFrame]]) -> Iterator[tuple[str, float]]:
    """Run each pass and give the highest peak of a worker, in MiB."""
    for name, run in work.items():
        for worker in workers():
            Path(f"/proc/{worker}/clear_refs").write_text("5")
        run().write.format("noop").mode("overwrite").save()
        yield name, max(map(peak, workers()))


def workers() -> list[int]:
    """Give the ids of the processes in which this program's Spark runs Python."""
    return [child.pid for child in psutil.Process().children(recursive=True) if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return WORKER in process.cmdline()
    except psutil.Error:
        return False


def peak(worker: int) -> float:
    """Read a process's highest resident memory since it was last set back, in MiB."""
    lines = Path(f"/proc/{worker}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the memory of Python workers.")
    parser.add_argument("--conversations", type=int, default=2_000)
    parser.add_argument("--characters", type=int, default=100_000)
    options = parser.parse_args()
    session = SessionSettings(mode="local", cores=1, shuffle_partitions=1)
    spark = spark_session(session, app_name="worker-memory")
    raw = raw_turns(spark, conversations=options.conversations, characters=options.characters)
    with tempfile.TemporaryDirectory() as folder:
        for name, found in peaks(passes(raw, Path(folder))):
            sys.stdout.write(f"{name:<14} {found:>6,.0f} MiB\n")
            sys.stdout.flush()
    spark.stop()


if __name__ == "__main__":
    main()
