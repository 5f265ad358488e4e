"""The peers of `near_duplicates.py`, each a command of its own: reads the file of texts, writes the ids it removes.

    python benchmarks/near_peers.py daft --texts TEXTS.parquet --output REMOVED.json

Each runs with word 5-shingles, 128 permutations and bands for a similarity of 0.8, or with what it has that is nearest
to these. Nothing of finelake is imported: a peer runs in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

PERMUTATIONS = 128
BANDS, ROWS = 21, 6
CORES = 2


def peer_daft(texts: Path) -> set[int]:
    """Remove by daft's MinHash; bands and clusters with numpy and scipy."""
    import daft

    found = daft.read_parquet(str(texts)).select(
        daft.col("id"), daft.col("text").minhash(num_hashes=PERMUTATIONS, ngram_size=5, seed=1).alias("signature")
    )
    table = found.to_arrow()
    values = table.column("signature").combine_chunks().flatten().to_numpy().reshape(-1, PERMUTATIONS)
    return clustered(table.column("id").to_numpy(), values)


def peer_rensa(texts: Path) -> set[int]:
    """Remove by rensa's MinHash, shingles in Python; bands and clusters with numpy and scipy."""
    from rensa import RMinHash

    table = pq.read_table(texts)
    signatures = []
    for text in table.column("text").to_pylist():
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update(list(shingles(text)))
        signatures.append(sketch.digest())
    return clustered(table.column("id").to_numpy(), np.array(signatures, np.uint64))


def peer_datasketch(texts: Path) -> set[int]:
    """Remove by datasketch's MinHash, shingles in Python; bands and clusters with numpy and scipy."""
    from datasketch import MinHash

    table = pq.read_table(texts)
    sets = ([shingle.encode() for shingle in shingles(text)] for text in table.column("text").to_pylist())
    signatures = [sketch.hashvalues for sketch in MinHash.generator(sets, num_perm=PERMUTATIONS, seed=1)]
    return clustered(table.column("id").to_numpy(), np.array(signatures, np.uint64))


def peer_datatrove(texts: Path) -> set[int]:
    """Remove by datatrove's four stages, two tasks at a time; 14 buckets of 8 hashes, its own defaults."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import JsonlWriter

    folder = Path(tempfile.mkdtemp())
    table = pq.read_table(texts)
    table = table.set_column(0, "id", table.column("id").cast("string"))
    for part in range(CORES):
        first, last = (table.num_rows * number // CORES for number in (part, part + 1))
        (folder / "in").mkdir(exist_ok=True)
        pq.write_table(table.slice(first, last - first), folder / "in" / f"{part}.parquet")
    config = MinhashConfig(n_grams=5)

    def reader() -> Any:
        return ParquetReader(str(folder / "in"), text_key="text", id_key="id")

    def place(name: str) -> str:
        return str(folder / name)

    removing = MinhashDedupFilter(
        place("remove"), exclusion_writer=JsonlWriter(place("removed"), compression=None, expand_metadata=False)
    )
    stages: list[tuple[list[Any], int]] = [
        ([reader(), MinhashDedupSignature(place("signatures"), config=config)], CORES),
        ([MinhashDedupBuckets(place("signatures"), place("buckets"), config=config)], config.num_buckets),
        ([MinhashDedupCluster(place("buckets"), place("remove"), config=config)], 1),
        ([reader(), removing], CORES),
    ]
    for number, (pipeline, tasks) in enumerate(stages):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=CORES, logging_dir=place(f"logs-{number}")).run()
    lines = [line for file in Path(place("removed")).glob("*") for line in file.read_text().splitlines()]
    shutil.rmtree(folder)
    return {int(json.loads(line)["id"]) for line in lines}


def peer_distributed_curator(texts: Path) -> set[int]:
    """Remove by distributed-curator on its own Spark; word shingles it has none: 9 characters, its default."""
    from distributed_curator import get_jar_path, partition_aware_deduplicate
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{CORES}]").config("spark.jars", get_jar_path())
    builder = builder.config("spark.driver.memory", "8g").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.shuffle.partitions", str(2 * CORES)).getOrCreate()
    rows = spark.read.parquet(str(texts)).selectExpr("cast(id as string) as doc_id", "text")
    found = partition_aware_deduplicate(
        spark=spark,
        input_df=rows,
        text_column="text",
        similarity_threshold=0.8,
        num_partitions=2 * CORES,
        is_input_doc_id_unique=True,
    )
    removed = {int(row["doc_id"]) for row in found.where("is_duplicate").select("doc_id").collect()}
    spark.stop()
    return removed


PEERS: dict[str, Callable[[Path], set[int]]] = {
    "daft": peer_daft,
    "rensa": peer_rensa,
    "datasketch": peer_datasketch,
    "distributed_curator": peer_distributed_curator,
    "datatrove": peer_datatrove,
}


def clustered(ids: Any, values: Any) -> set[int]:
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


def shingles(text: str) -> set[str]:
    """Give the word 5-shingles of a text."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[n : n + 5]) for n in range(max(1, len(words) - 4))}


def main() -> None:
    """Run one peer and write the removed ids as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    given.output.write_text(json.dumps(sorted(PEERS[given.peer](given.texts))))


if __name__ == "__main__":
    main()
