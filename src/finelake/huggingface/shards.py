"""Curated splits as sharded Parquet, written by Spark: the rows never pass through the driver.

A shard is a range of the order in which `finelake.publish` writes its files, so that the shards of a split, read one
behind the other, are that file. The bytes depend on the examples alone, whatever their partitions. A folder without
`manifest.json`, which is written last, is not whole.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.config.huggingface import Shards
from finelake.errors import ConfigError, OutputError
from finelake.files import sha256_of, write_whole
from finelake.splits import SPLITS
from finelake.tables.writing import explained

MANIFEST = "manifest.json"
FORMAT = "parquet-shards"

_KEPT = ("conversation_id", "window", "group_key", "line", "tokens", "trained_tokens")
_ORDER = ("sort_key", "conversation_id", "window")
_DIGITS = 8
_SCHEME = re.compile(r"\A[a-z][a-z0-9]*:(?://(?=/))?")
_LEAST_GROUP = 10
"""Rows after which Parquet looks at a group's size for the first time."""


def write_shards(examples: DataFrame, *, config: Shards, run_id: str, tokenizer: str | None = None) -> dict[str, Any]:
    """Write each split into `config.folder` and return the manifest.

    Needs columns split, sort_key (hex digits, evenly spread), conversation_id, window, group_key, line, tokens and
    trained_tokens. `tokenizer` is the fingerprint of the tokenizer and template that counted the tokens, None where
    another engine did. Raises ConfigError without a folder, OutputError when it cannot be written.
    """
    if config.folder is None:
        raise ConfigError("shards.folder is not set. Name a folder, or a Volume, that every training process sees.")
    folder = Path(config.folder).absolute()
    staging = folder / f"staging-{run_id}"
    counts = {row["split"]: row["count"] for row in examples.groupBy("split").count().collect()}
    shards = {split: math.ceil(counts.get(split, 0) / config.rows) for split in SPLITS}
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        _write(examples, staging, shards=shards, group_bytes=config.group_bytes)
        listed = _placed(examples, staging, folder, shards)
        shutil.rmtree(staging, ignore_errors=True)
        manifest = {
            "format": FORMAT,
            "run_id": run_id,
            "tokenizer": tokenizer,
            "columns": list(_KEPT),
            "splits": {split: _described(listed.get(split, [])) for split in SPLITS},
        }
        _tidy(folder, manifest)
        write_whole(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return manifest


def local_path(uri: str) -> Path:
    """Give the path of what Spark lists as `file:/...`, or in a Volume by the platform's own scheme."""
    return Path(_SCHEME.sub("", uri))


def is_whole(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """Tell whether every shard is there with the SHA-256 that the manifest names."""
    return all(
        (folder / shard["file"]).is_file() and sha256_of(folder / shard["file"]) == shard["sha256"]
        for split in manifest["splits"].values()
        for shard in split["shards"]
    )


def _write(examples: DataFrame, staging: Path, *, shards: Mapping[str, int], group_bytes: int) -> None:
    (
        examples.withColumn("shard", _shard(shards))
        .select("split", "shard", "sort_key", *_KEPT)
        .repartition(max(1, sum(shards.values())), "split", "shard")
        .sortWithinPartitions("split", "shard", *_ORDER)
        .drop("sort_key")
        .write.mode("overwrite")
        .partitionBy("split", "shard")
        .option("compression", "zstd")
        .option("maxRecordsPerFile", 0)
        .option("parquet.block.size", group_bytes)
        .option("parquet.page.size.row.check.min", _LEAST_GROUP)
        .parquet(str(staging))
    )


def _shard(shards: Mapping[str, int]) -> Column:
    """Give the number of the shard: where the sort key lies among all keys."""
    place = F.conv(F.substring("sort_key", 1, _DIGITS), 16, 10).cast("bigint")
    number = F.lit(0)
    for split, count in shards.items():
        number = F.when(F.col("split") == split, F.lit(count)).otherwise(number)
    return F.floor(place * number / F.lit(16**_DIGITS)).cast("int")


def _placed(
    examples: DataFrame, staging: Path, folder: Path, shards: Mapping[str, int]
) -> dict[str, list[dict[str, Any]]]:
    """Move the shards to their names and describe them; bytes and hashes are worked out by Spark."""
    spark = examples.sparkSession
    if not sum(shards.values()):
        return {}
    files = (
        spark.read.format("binaryFile")
        .option("pathGlobFilter", "*.parquet")
        .option("recursiveFileLookup", True)
        .load(str(staging))
        .select("path", "length", F.sha2("content", 256).alias("sha256"))
        .collect()
    )
    sums = (
        spark.read.parquet(str(staging))
        .groupBy("split", "shard")
        .agg(
            F.sum("tokens").alias("tokens"), F.sum("trained_tokens").alias("trained"), F.max("tokens").alias("longest")
        )
        .collect()
    )
    totals = {(row["split"], row["shard"]): row for row in sums}
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in files:
        path = local_path(row["path"])
        split, shard = (part.partition("=")[2] for part in path.parts[-3:-1])
        if (split, int(shard)) in found:
            raise OutputError(f"Shard {shard} of {split} came in two files. Write the shards again.")
        name = f"{split}-{int(shard):05d}-of-{shards[split]:05d}.parquet"
        shutil.move(path, folder / name)
        total = totals[split, int(shard)]
        found[split, int(shard)] = {
            "file": name,
            "bytes": row["length"],
            "sha256": row["sha256"],
            "groups": _groups(folder / name),
            "tokens": total["tokens"],
            "trained_tokens": total["trained"],
            "longest": total["longest"],
        }
    listed: dict[str, list[dict[str, Any]]] = {}
    for (split, _), shard_facts in sorted(found.items()):
        listed.setdefault(split, []).append({**shard_facts, "rows": sum(shard_facts["groups"])})
    return listed


def _groups(file: Path) -> list[int]:
    with pq.ParquetFile(file) as opened:
        return [opened.metadata.row_group(n).num_rows for n in range(opened.metadata.num_row_groups)]


def _described(shards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    sums = {key: sum(shard[key] for shard in shards) for key in ("rows", "bytes", "tokens", "trained_tokens")}
    return {**sums, "longest": max((shard["longest"] for shard in shards), default=0), "shards": list(shards)}


def _tidy(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Remove the shards of an earlier run."""
    listed = {shard["file"] for split in manifest["splits"].values() for shard in split["shards"]}
    for file in folder.glob("*-of-*.parquet"):
        if file.name not in listed:
            file.unlink()
