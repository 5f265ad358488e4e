"""Pinned assignments: which split every published example is in, for good.

One append-only Delta table, one row an example when it is first published. A run sees the pins of the runs before its
own first one: repeating a run, also one that was killed after it pinned, sees the same pins and gives the same files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Splits
from finelake.splitting.groups import single_group
from finelake.splitting.shares import stratum_of
from finelake.tables.contracts import checked
from finelake.tables.names import ASSIGNMENTS, TableRef
from finelake.tables.reading import read_table, table_exists
from finelake.tables.writing import append_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What was pinned before a run.

    pinning: hash of the settings that the pins belong to · batch: the number under which this run pins · frame: the
    pins of earlier batches (columns of the assignments table), None without any · count and digest: of those.
    """

    pinning: str
    batch: int
    frame: DataFrame | None
    count: int
    digest: str

    def as_dict(self) -> dict[str, str | int]:
        """Give what the manifest tells of the pins that a run saw."""
        return {"pinning": self.pinning, "batch": self.batch, "pinned_before": self.count, "digest": self.digest}


def pinning_of(config: Splits) -> str:
    """Hash the settings that decide splits (16 hex digits): other settings have other pins."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_pins(spark: SparkSession, table: TableRef, *, config: Splits, run_id: str) -> Pins:
    """Read what runs before this one have pinned under the same settings. Runs one small job."""
    pinning = pinning_of(config)
    if not table_exists(spark, table):
        return Pins(pinning=pinning, batch=0, frame=None, count=0, digest=_digest(0))
    mine = checked(read_table(spark, table), ASSIGNMENTS).where(F.col("pinning") == pinning)
    row_hash = F.xxhash64("conversation_id", "single_group", "dedup_key", "split")
    batches = mine.groupBy("batch", "run_id").agg(F.count(F.lit(1)).alias("rows"), F.bit_xor(row_hash).alias("hash"))
    known = batches.collect()
    own = [row["batch"] for row in known if row["run_id"] == run_id]
    batch = own[0] if own else max((row["batch"] for row in known), default=-1) + 1
    earlier = [row for row in known if row["batch"] < batch]
    digest = 0
    for row in earlier:
        digest ^= row["hash"]
    frame = mine.where(F.col("batch") < batch) if earlier else None
    return Pins(
        pinning=pinning, batch=batch, frame=frame, count=sum(row["rows"] for row in earlier), digest=_digest(digest)
    )


def pin(examples: DataFrame, table: TableRef, *, pins: Pins, config: Splits, run_id: str) -> None:
    """Append the examples that no earlier run has pinned; a second time under the same run id changes nothing."""
    new = examples.where(F.col("window") == 0)
    if pins.frame is not None:
        new = new.join(pins.frame.select("conversation_id"), on="conversation_id", how="left_anti")
    rows = new.select(
        F.lit(pins.pinning).alias("pinning"),
        F.lit(pins.batch).cast("int").alias("batch"),
        F.lit(run_id).alias("run_id"),
        "conversation_id",
        single_group().alias("single_group"),
        "group_key",
        "dedup_key",
        stratum_of(new, config=config).alias("stratum"),
        "split",
    )
    append_once(checked(rows, ASSIGNMENTS), table, key=f"{run_id}.assignments")


def _digest(value: int) -> str:
    return f"{value & (2**64 - 1):016x}"
