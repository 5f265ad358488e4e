"""Count the tokens of a Delta table of chats: finelake in Spark against tiktoken in two plain Python processes.

    TIKTOKEN_CACHE_DIR=... python benchmarks/token_counting.py --chats 1000000

Ours reads Delta, counts and writes id and count to Delta, once in a pandas UDF (iterator form) and once in mapInArrow,
which spares Spark a copy of every row. tiktoken's processes read one half of the same texts each from Parquet and write
theirs to Parquet; only reading, counting and writing are timed, not the interpreter and the vocabulary. Rounds take
turns; `warm` is the median of rounds two to four. All counts are compared.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from measuring import table
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.pandas.functions import pandas_udf
from seeded_chats import TURNS, blocks, texts, vocabulary

from finelake.config.settings import SessionSettings
from finelake.session import spark_session
from finelake.tokens.engine import Preference, select_engine

PROCESSES = 2
ROUNDS = 4


def write_chats(folder: Path, count: int) -> float:
    """Write one file of chats (id, text) for each process and give the MB of text."""
    words = pa.array(vocabulary())
    parts: list[list[pa.Table]] = [[] for _ in range(PROCESSES)]
    size = 0
    for number, made in enumerate(blocks(count, seed=7)):
        turns = texts(made, words)
        chats = pc.binary_join(pa.ListArray.from_arrays(range(0, len(turns) + 1, TURNS), turns), "\n")
        size += pc.sum(pc.binary_length(chats)).as_py()
        ids = pa.array(range(made.first, made.first + len(chats)))
        parts[number % PROCESSES].append(pa.table({"id": ids, "text": chats}))
    for number, part in enumerate(parts):
        pq.write_table(pa.concat_tables(part), folder / f"chats-{number}.parquet", row_group_size=10_000)
    return size / 1e6


def counting_udf(encoding: str, engine: Preference) -> Callable[[Column], Column]:
    """Build the pandas UDF; the engine is selected once a worker."""

    def count(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        chosen = select_engine(encoding, engine)
        for batch in batches:
            yield pd.Series(chosen.count_batch(batch.tolist()), dtype="int32")

    count.__annotations__ = {"batches": Iterator[pd.Series], "return": Iterator[pd.Series]}
    make: Any = pandas_udf
    udf: Callable[[Column], Column] = make(count, "int")
    return udf


def by_pandas_udf(chats: DataFrame, *, encoding: str, engine: Preference) -> DataFrame:
    """Count in a pandas UDF."""
    return chats.select("id", counting_udf(encoding, engine)(chats["text"]).alias("tokens"))


def by_arrow(chats: DataFrame, *, encoding: str, engine: Preference) -> DataFrame:
    """Count in mapInArrow."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        chosen = select_engine(encoding, engine)
        for batch in batches:
            tokens = pa.array(chosen.count_batch(batch.column("text").to_pylist()), pa.int32())
            yield pa.RecordBatch.from_arrays([batch.column("id"), tokens], ["id", "tokens"])

    return chats.mapInArrow(count, "id long, tokens int")


WAYS = {"pandas UDF": by_pandas_udf, "mapInArrow": by_arrow}


def count_ours(way: str, spark: SparkSession, folder: Path, *, encoding: str, engine: Preference) -> float:
    """Count a Delta table into another one and give the seconds."""
    chats = spark.read.format("delta").load(str(folder / "delta"))
    began = time.monotonic()
    counted = WAYS[way](chats, encoding=encoding, engine=engine)
    counted.write.format("delta").mode("overwrite").save(str(folder / way))
    return time.monotonic() - began


def count_peer(folder: Path, encoding: str) -> tuple[float, float]:
    """Run tiktoken's processes; gives the seconds of the slowest one's work and of the whole command."""
    began = time.monotonic()
    commands = [
        [sys.executable, __file__, "--part", str(folder / f"chats-{n}.parquet"), "--encoding", encoding]
        for n in range(PROCESSES)
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    seconds = [float(process.communicate()[0]) for process in running]
    return max(seconds), time.monotonic() - began


def count_part(path: Path, encoding: str) -> float:
    """Count one file with tiktoken, in a process of its own."""
    import tiktoken

    encoder = tiktoken.get_encoding(encoding)
    began = time.monotonic()
    chats = pq.read_table(path)
    tokens = [len(encoder.encode_ordinary(text)) for text in chats["text"].to_pylist()]
    pq.write_table(pa.table({"id": chats["id"], "tokens": tokens}), path.with_name(f"tokens-{path.name}"))
    return time.monotonic() - began


def differing(spark: SparkSession, ours: Path, folder: Path) -> int:
    """Count the chats whose two counts differ."""
    peer = spark.read.parquet(*(str(path) for path in folder.glob("tokens-*.parquet"))).withColumnRenamed(
        "tokens", "peer"
    )
    both = spark.read.format("delta").load(str(ours)).join(peer, "id", "full_outer")
    return both.where("not (tokens <=> peer)").count()


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Load the chats and take turns: ours, tiktoken, ours, ..."""
    size = write_chats(folder, given.chats)
    began = time.monotonic()
    spark = spark_session(SessionSettings(mode="local", cores=PROCESSES), app_name="token-counting")
    started = time.monotonic()
    chats = spark.read.parquet(*(str(path) for path in folder.glob("chats-*.parquet")))
    chats.write.format("delta").save(str(folder / "delta"))
    ours: dict[str, list[float]] = {way: [] for way in WAYS}
    peer, commands = [], []
    for _ in range(ROUNDS):
        for way, seconds in ours.items():
            seconds.append(count_ours(way, spark, folder, encoding=given.encoding, engine=given.engine))
        slowest, command = count_peer(folder, given.encoding)
        peer.append(slowest)
        commands.append(command)
    wrong = {way: differing(spark, folder / way, folder) for way in WAYS}
    spark.stop()
    taken = ours | {"tiktoken": peer}
    warm = {who: statistics.median(seconds[1:]) for who, seconds in taken.items()}
    return {
        "times as fast as tiktoken": {way: round(warm["tiktoken"] / warm[way], 2) for way in WAYS},
        "counts that differ": wrong,
        "chats": given.chats,
        "MB": round(size, 1),
        "encoding": given.encoding,
        "engine": select_engine(given.encoding, given.engine).name,
        "session_s": started - began,
        "tiktoken_command_s": statistics.median(commands),
        **{
            who: {"warm_s": warm[who], "first_s": seconds[0], "MB_per_s": size / warm[who]}
            for who, seconds in taken.items()
        },
    }


def main() -> None:
    """Run the benchmark; prints a table and a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=1_000_000)
    parser.add_argument("--encoding", default="o200k_base")
    parser.add_argument("--engine", choices=("auto", "toktok", "tiktoken"), default="auto")
    parser.add_argument("--part", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        sys.stdout.write(str(count_part(given.part, given.encoding)))
        return
    folder = Path(tempfile.mkdtemp())
    try:
        found = measure(given, folder)
    finally:
        shutil.rmtree(folder)
    names = ("warm_s", "first_s", "MB_per_s")
    rows: list[list[object]] = [["", *names]]
    rows += [[who, *(float(found[who][name]) for name in names)] for who in (*WAYS, "tiktoken")]
    for way, times in found["times as fast as tiktoken"].items():
        sys.stdout.write(
            f"{way}: {times} times as fast as tiktoken, {found['counts that differ'][way]} counts differ\n"
        )
    sys.stdout.write(f"{table(rows)}\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
