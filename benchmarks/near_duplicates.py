"""Near duplicates of seeded chats with planted truth: seconds, precision and recall, beside peers where they install.

    python benchmarks/near_duplicates.py --chats 20000 --peers-python PEERS/bin/python

Ours reads the same Parquet file of texts as the peers, hashes it, finds candidate pairs, measures their similarity,
chooses keepers and groups, and writes signatures and pairs to Delta. `cold` is the first run in a fresh session, `warm`
the median of runs two to four, `command` session start and first run; `jobs` counts Spark's jobs in a warm run. A peer
(`near_peers.py`) runs as a command of its own in the first of `--peers-python` that has it, the median of three runs or
the only one of those that take minutes; none verifies candidates. It writes the removed ids.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from near_peers import PEERS, PERMUTATIONS, shingles

THRESHOLD = 0.8
SLOW = {"distributed_curator", "datatrove"}
SHORT_CHATS = 400
TURNS = 6
RUNS = 3


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
    one, other = (shingles(" ".join(turns)) for turns in (left, right))
    return len(one & other) / len(one | other)


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


def run_ours(texts: Path, hot: Path | None, folder: Path, *, cores: int, memory: str) -> dict[str, Any]:
    """Search near duplicates four times in one session, then in the table with the hot bucket."""
    from finelake.config.settings import SessionSettings
    from finelake.session import spark_session

    began = time.monotonic()
    spark = spark_session(SessionSettings(mode="local", cores=cores, memory=memory), app_name="near-duplicates")
    started = time.monotonic()
    seconds, jobs, facts = [], [], {}
    for _ in range(1 + RUNS):
        before, known = time.monotonic(), _jobs(spark)
        facts = search(spark, texts, folder)
        seconds.append(time.monotonic() - before)
        jobs.append(_jobs(spark) - known)
    pairs = spark.read.format("delta").load(str(folder / "pairs"))
    merged = pairs.where("merged").select("second_id").toArrow().column("second_id")
    removed = sorted({int(name) for name in merged.to_pylist()})
    found = {
        "warm_s": round(statistics.median(seconds[1:]), 2),
        "cold_s": round(seconds[0], 2),
        "session_s": round(started - began, 2),
        "jobs": jobs[-1],
        "removed": removed,
        "facts": {name: value for name, value in facts.items() if not isinstance(value, dict)},
    }
    if hot is not None:
        times = []
        for _ in range(RUNS):
            before = time.monotonic()
            facts = search(spark, hot, folder)
            times.append(time.monotonic() - before)
        found |= {"hot_warm_s": round(statistics.median(times), 2), "hot_largest_bucket": facts["largest"]}
        found |= {"hot_candidates": facts["candidates"]}
    spark.stop()
    return found


def search(spark: Any, texts: Path, folder: Path) -> dict[str, Any]:
    """Read the texts, write signatures and pairs to Delta; every run hashes everything anew."""
    from pyspark.sql import functions as F

    from finelake.config.settings import Duplicates
    from finelake.relate.documents import documents
    from finelake.relate.near import near_duplicates
    from finelake.relate.signatures import signed

    def save(frame: Any, name: str = "") -> Any:
        name = name or f"graph-{uuid.uuid4()}"
        frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(str(folder / name))
        return spark.read.format("delta").load(str(folder / name))

    rows = spark.read.parquet(str(texts)).select(
        F.lpad(F.col("id").cast("string"), 9, "0").alias("conversation_id"),
        F.col("text").alias("compared"),
        F.lit(None).cast("timestamp").alias("first_at"),
    )
    alone = F.concat(F.lit("text:"), "conversation_id")
    chats = documents(rows, findings=F.lit(0), tokens=F.lit(0), group=alone)
    config = Duplicates(near=True, threshold=THRESHOLD, permutations=PERMUTATIONS)
    signatures = save(signed(chats, stored=None, config=config), "signatures")
    found = near_duplicates(chats, signatures, config=config, save=save, at_most=pq.read_metadata(texts).num_rows)
    save(found.pairs, "pairs")
    return found.facts


def _jobs(spark: Any) -> int:
    return int(spark.sparkContext._jsc.sc().statusStore().jobsList(None).size())


def as_command(python: str, script: str, *arguments: str, output: Path) -> tuple[float, Any]:
    """Run ours or a peer as a command of its own; gives its seconds and what it wrote."""
    began = time.monotonic()
    command = [python, str(Path(__file__).with_name(script)), *arguments, "--output", str(output)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return round(time.monotonic() - began, 2), json.loads(output.read_text())


def run_peer(name: str, pythons: Sequence[str], chats: Chats, texts: Path) -> dict[str, Any] | None:
    """Run a peer as a command of its own; None where it is not installed."""
    python = next((each for each in pythons if has(each, name)), None)
    if python is None:
        return None
    runs = [
        as_command(python, "near_peers.py", name, "--texts", str(texts), output=texts.with_name("peer.json"))
        for _ in range(1 if name in SLOW else RUNS)
    ]
    seconds = statistics.median(seconds for seconds, _ in runs)
    return {"command_s": seconds, "runs": len(runs), **quality(chats, set(runs[0][1]))}


def has(python: str, package: str) -> bool:
    """Tell whether an environment has a package, and what clusters its candidates."""
    command = [python, "-c", f"import {package}, scipy"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def write_texts(chats: Chats, place: Path) -> float:
    """Write one row a chat, in row groups that two tasks can share; gives the megabytes of text."""
    texts = [" ".join(turns) for turns in chats.turns]
    pq.write_table(pa.table({"id": range(len(texts)), "text": texts}), place, row_group_size=10_000)
    return round(sum(map(len, texts)) / 1e6, 1)


def parsed() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=20_000)
    parser.add_argument("--hot", type=int, default=0, help="canned chats in one bucket, added in a second round")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--memory", default="4g")
    parser.add_argument("--peers-python", nargs="+", default=[sys.executable])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=[name for name in PEERS if name not in SLOW])
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--hot-texts", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def run_only(given: argparse.Namespace) -> None:
    """Be the command that is measured."""
    folder = given.output.parent / "delta"
    found = run_ours(given.texts, given.hot_texts, folder, cores=given.cores, memory=given.memory)
    given.output.write_text(json.dumps(found))


def main() -> None:
    """Run ours and the peers, and print ratios first."""
    given = parsed()
    if given.only:
        run_only(given)
        return
    chats = make_chats(given.chats, hot=0)
    with tempfile.TemporaryDirectory() as name:
        texts, hot = Path(name) / "texts.parquet", Path(name) / "hot.parquet"
        megabytes = write_texts(chats, texts)
        options = ["--texts", str(texts), "--cores", str(given.cores), "--memory", given.memory]
        if given.hot:
            write_texts(make_chats(given.chats, hot=given.hot), hot)
            options += ["--hot-texts", str(hot)]
        results = {peer: run_peer(peer, given.peers_python, chats, texts) for peer in given.peers}
        _, ours = as_command(sys.executable, Path(__file__).name, "--only", *options, output=Path(name) / "ours.json")
    ours |= {"command_s": round(ours["session_s"] + ours["cold_s"], 2), **quality(chats, set(ours["removed"]))}
    for peer, found in results.items():
        if found is None:
            sys.stdout.write(f"{peer}: not installed, skipped\n")
            continue
        warm, whole = (ours[kind] / found["command_s"] for kind in ("warm_s", "command_s"))
        sys.stdout.write(f"finelake / {peer}: warm {warm:.2f}, whole command {whole:.2f}\n")
    if given.hot:
        sys.stdout.write(f"with {given.hot} canned chats / without: {ours['hot_warm_s'] / ours['warm_s']:.2f}\n")
    report = {"chats": len(chats.turns), "MB": megabytes, "results": {"finelake": ours, **results}}
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
