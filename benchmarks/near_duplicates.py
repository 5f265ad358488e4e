"""Near duplicates of seeded chats with planted truth: seconds, precision and recall, beside peers where they install.

    python benchmarks/near_duplicates.py --chats 20000 --peers-python PEERS/bin/python

Ours reads finished JSONL lines from Delta, finds exact copies, candidate pairs and their true similarities, keepers and
groups, and writes pairs, merges and groups to Delta. `cold` is the first run in a fresh session, `warm` the median of
runs two to four, `command` session start and first run. A peer (daft, rensa, datasketch) runs as a command of its own
in `--peers-python`; it reads the bare texts from Parquet and clusters candidates without verification.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

THRESHOLD = 0.8
PERMUTATIONS = 128
BANDS, ROWS = 21, 6
SHORT_CHATS = 400
TURNS = 6
WARM_RUNS = 3


@dataclass(frozen=True)
class Planted:
    """A chat that was made from an earlier one, and the Jaccard similarity of their word 5-shingles."""

    copy: int
    source: int
    similarity: float


@dataclass(frozen=True)
class Chats:
    """Chats as lists of six turns, what was planted among them, and which are short and all different."""

    turns: list[list[str]]
    planted: list[Planted]
    short: range


def make_chats(count: int, *, hot: int, seed: int = 7) -> Chats:
    """Make chats of about 940 bytes: 5 % exact copies, 5 % near ones; then short ones, then `hot` canned ones."""
    chosen = random.Random(seed)
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    words = sorted({"".join(chosen.choices(syllables, k=chosen.randint(1, 4))) for _ in range(30_000)})
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(words))))
    turns: list[list[str]] = []
    planted: list[Planted] = []
    for number in range(count):
        kind = chosen.random()
        if number < 100 or kind >= 0.1:
            turns.append(
                [" ".join(chosen.choices(words, cum_weights=weights, k=chosen.randint(20, 38))) for _ in range(TURNS)]
            )
            continue
        source = chosen.randrange(number)
        copy = list(turns[source])
        for _ in range(chosen.randint(1, 5) if kind < 0.05 else 0):
            place = chosen.randrange(TURNS)
            tokens = copy[place].split(" ")
            tokens[chosen.randrange(len(tokens))] = chosen.choice(words)
            copy[place] = " ".join(tokens)
        planted.append(Planted(number, source, similarity(turns[source], copy)))
        turns.append(copy)
    short = range(count, count + SHORT_CHATS)
    turns += [[f"Status of {n}?", "Done."] for n in range(SHORT_CHATS)]
    canned = " ".join(chosen.choices(words, k=40))
    turns += [[f"{canned} {n}", "Thank you."] for n in range(hot)]
    return Chats(turns, planted, short)


def similarity(left: list[str], right: list[str]) -> float:
    """Give the Jaccard similarity of the word 5-shingles of two chats."""
    one, other = (_shingles(" ".join(turns)) for turns in (left, right))
    return len(one & other) / len(one | other)


def _shingles(text: str) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[n : n + 5]) for n in range(max(1, len(words) - 4))}


def quality(chats: Chats, removed: set[int]) -> dict[str, float | int]:
    """Hold what was removed against the truth; a planted pair is found when not both chats are left."""
    near = [pair for pair in chats.planted if THRESHOLD <= pair.similarity < 1]
    exact = [pair for pair in chats.planted if pair.similarity == 1]
    family = {pair.copy for pair in chats.planted} | {pair.source for pair in chats.planted}
    long = {number for number in removed if number < chats.short.start}
    return {
        "removed": len(removed),
        "precision": round(len(long & family) / max(1, len(long)), 5),
        "recall_exact": round(_found(exact, removed), 5),
        "recall_near": round(_found(near, removed), 5),
        "near_pairs": len(near),
        "short_removed": sum(number in removed for number in chats.short),
    }


def _found(pairs: list[Planted], removed: set[int]) -> float:
    return sum(pair.copy in removed or pair.source in removed for pair in pairs) / max(1, len(pairs))


def run_ours(chats: Chats, folder: Path, *, cores: int) -> dict[str, Any]:
    """Run finelake's steps four times in one session."""
    from pyspark.sql import functions as F

    from finelake.chat import line_of
    from finelake.config.settings import SessionSettings
    from finelake.session import spark_session

    lines = [
        line_of([{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns)], "")
        for turns in chats.turns
    ]
    ids = [f"{number:09d}" for number in range(len(lines))]
    pq.write_table(pa.table({"conversation_id": ids, "line": lines}), folder / "lines.parquet", row_group_size=10_000)
    began = time.monotonic()
    spark = spark_session(SessionSettings(mode="local", cores=cores, memory="4g"), app_name="near-duplicates")
    started = time.monotonic()
    seconds = []
    for _ in range(1 + WARM_RUNS):
        before = time.monotonic()
        _curate_once(spark, folder)
        seconds.append(time.monotonic() - before)
    merged = spark.read.format("delta").load(str(folder / "merged"))
    pairs = spark.read.format("delta").load(str(folder / "pairs"))
    above = F.sum((F.col("similarity") >= THRESHOLD).cast("int"))
    counts = pairs.agg(F.count(F.lit(1)).alias("pairs"), above.alias("verified")).first()
    removed = {int(row["conversation_id"]) for row in merged.select("conversation_id").collect()}
    spark.stop()
    return {
        "warm_s": round(statistics.median(seconds[1:]), 2),
        "cold_s": round(seconds[0], 2),
        "command_s": round(started - began + seconds[0], 2),
        "candidates": counts["pairs"],
        "verified": counts["verified"],
        **quality(chats, removed),
    }


def _curate_once(spark: Any, folder: Path) -> None:
    from pyspark.sql import functions as F

    from finelake.config.settings import Duplicates
    from finelake.relate.compare import compare
    from finelake.relate.exact import exact_duplicates
    from finelake.relate.related import merges, relate

    def save(frame: Any, name: str = "graph") -> Any:
        frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(str(folder / name))
        return spark.read.format("delta").load(str(folder / name))

    config = Duplicates()
    rows = spark.read.parquet(str(folder / "lines.parquet")).select(
        "*",
        F.sha2("line", 256).alias("dedup_key"),
        F.lit(None).cast("timestamp").alias("first_at"),
        F.lit(None).cast("string").alias("user_id"),
    )
    exact = exact_duplicates(rows)
    distinct = rows.join(exact, "conversation_id", "left_anti")
    pairs = save(compare(distinct, config=config, run_id="benchmark"), "pairs")
    related = relate(pairs, threshold=config.threshold, driver_pairs=config.driver_pairs, save=save)
    save(merges(exact, related.merged), "merged")
    save(related.groups, "groups")


def peer_daft(texts: Path) -> set[int]:
    """Remove by daft's MinHash; bands and clusters with numpy and scipy."""
    import daft

    found = daft.read_parquet(str(texts)).select(
        daft.col("id"), daft.col("text").minhash(num_hashes=PERMUTATIONS, ngram_size=5, seed=1).alias("signature")
    )
    table = found.to_arrow()
    values = table.column("signature").combine_chunks().flatten().to_numpy().reshape(-1, PERMUTATIONS)
    return _cluster(table.column("id").to_numpy(), values)


def peer_rensa(texts: Path) -> set[int]:
    """Remove by rensa's MinHash, shingles in Python; bands and clusters with numpy and scipy."""
    from rensa import RMinHash

    table = pq.read_table(texts)
    signatures = []
    for text in table.column("text").to_pylist():
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update(list(_shingles(text)))
        signatures.append(sketch.digest())
    return _cluster(table.column("id").to_numpy(), np.array(signatures, np.uint64))


def peer_datasketch(texts: Path) -> set[int]:
    """Remove by datasketch's MinHash, shingles in Python; bands and clusters with numpy and scipy."""
    from datasketch import MinHash

    table = pq.read_table(texts)
    sets = ([shingle.encode() for shingle in _shingles(text)] for text in table.column("text").to_pylist())
    signatures = [sketch.hashvalues for sketch in MinHash.generator(sets, num_perm=PERMUTATIONS, seed=1)]
    return _cluster(table.column("id").to_numpy(), np.array(signatures, np.uint64))


PEERS: dict[str, Callable[[Path], set[int]]] = {
    "daft": peer_daft,
    "rensa": peer_rensa,
    "datasketch": peer_datasketch,
}


def _cluster(ids: Any, values: Any) -> set[int]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = [], []
    for band in range(BANDS):
        part = np.ascontiguousarray(values[:, band * ROWS : (band + 1) * ROWS])
        keys = part.view(np.dtype((np.void, part.dtype.itemsize * ROWS))).ravel()
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        left.append(first[inverse])
        right.append(np.arange(len(ids)))
    edges = np.concatenate(left), np.concatenate(right)
    graph = coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(len(ids), len(ids)))
    _, member = connected_components(graph, directed=False)
    _, kept = np.unique(member, return_index=True)
    return set(ids.tolist()) - set(ids[kept].tolist())


def run_peer(name: str, python: str, chats: Chats, texts: Path) -> dict[str, Any] | None:
    """Run a peer as a command of its own; None where it is not installed."""
    if subprocess.run([python, "-c", f"import {name}, scipy"], capture_output=True, check=False).returncode:
        return None
    output = texts.with_name(f"{name}.json")
    began = time.monotonic()
    subprocess.run([python, __file__, "--peer", name, "--texts", str(texts), "--output", str(output)], check=True)
    seconds = time.monotonic() - began
    return {"command_s": round(seconds, 2), **quality(chats, set(json.loads(output.read_text())))}


def main() -> None:
    """Run ours and the peers, and print ratios first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=20_000)
    parser.add_argument("--hot", type=int, default=0, help="canned chats in one bucket, added to the others")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--peer", choices=PEERS)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if given.peer:
        importlib.import_module(given.peer)
        given.output.write_text(json.dumps(sorted(PEERS[given.peer](given.texts))))
        return
    chats = make_chats(given.chats, hot=given.hot)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = [" ".join(turns) for turns in chats.turns]
        pq.write_table(pa.table({"id": range(len(bare)), "text": bare}), folder / "texts.parquet")
        results: dict[str, Any] = {"finelake": run_ours(chats, folder, cores=given.cores)}
        for peer in PEERS:
            results[peer] = run_peer(peer, given.peers_python, chats, folder / "texts.parquet")
    ours = results["finelake"]["warm_s"]
    for peer in PEERS:
        found = results[peer]
        line = (
            f"finelake warm / {peer}: {ours / found['command_s']:.2f}" if found else f"{peer}: not installed, skipped"
        )
        sys.stdout.write(line + "\n")
    megabytes = round(sum(map(len, bare)) / 1e6, 1)
    sys.stdout.write(json.dumps({"chats": len(bare), "MB": megabytes, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
