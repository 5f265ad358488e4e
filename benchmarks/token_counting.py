"""Count the tokens of a Delta table of chats: finelake's pandas UDF against tiktoken in two plain Python processes.

    TIKTOKEN_CACHE_DIR=... python benchmarks/token_counting.py --chats 200000

Ours reads Delta, counts in a pandas UDF (iterator form) and writes id and count to Delta. tiktoken's processes read one
half of the same texts each from Parquet and write theirs to Parquet; only reading, counting and writing are timed, not
the interpreter and the vocabulary. Rounds take turns; `warm` is the median of rounds two to four. All are compared.
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
from collections.abc import Callable, Iterator
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


def count_ours(chats: DataFrame, out: Path, *, encoding: str, engine: Preference) -> float:
    """Count a Delta table into another one and give the seconds."""
    began = time.monotonic()
    counted = chats.select("id", counting_udf(encoding, engine)(chats["text"]).alias("tokens"))
    counted.write.format("delta").mode("overwrite").save(str(out))
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
    source, out = folder / "delta", folder / "counted"
    spark.read.parquet(*(str(path) for path in folder.glob("chats-*.parquet"))).write.format("delta").save(str(source))
    ours, peer, commands = [], [], []
    for _ in range(ROUNDS):
        chats = spark.read.format("delta").load(str(source))
        ours.append(count_ours(chats, out, encoding=given.encoding, engine=given.engine))
        slowest, command = count_peer(folder, given.encoding)
        peer.append(slowest)
        commands.append(command)
    wrong = differing(spark, out, folder)
    spark.stop()
    warm, other = statistics.median(ours[1:]), statistics.median(peer[1:])
    return {
        "times as fast as tiktoken": round(other / warm, 2),
        "counts that differ": wrong,
        "chats": given.chats,
        "MB": round(size, 1),
        "encoding": given.encoding,
        "engine": select_engine(given.encoding, given.engine).name,
        "ours": {"warm_s": warm, "first_s": ours[0], "command_s": started - began + ours[0], "MB_per_s": size / warm},
        "tiktoken": {
            "warm_s": other,
            "first_s": peer[0],
            "command_s": statistics.median(commands),
            "MB_per_s": size / other,
        },
    }


def main() -> None:
    """Run the benchmark; prints a table and a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=200_000)
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
    names = ("warm_s", "first_s", "command_s", "MB_per_s")
    rows: list[list[object]] = [["", *names]]
    rows += [[who, *(float(found[who][name]) for name in names)] for who in ("ours", "tiktoken")]
    sys.stdout.write(f"{found['times as fast as tiktoken']} times as fast as tiktoken\n{table(rows)}\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
