"""The same rows give the same bytes, and more rows move nothing that was there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.curate import curate
from support.lake import Demo, table

pytestmark = pytest.mark.spark

SPLITS = ("train", "validation", "test")
SHUFFLE = "spark.sql.shuffle.partitions"


@pytest.fixture
def partitions(spark: SparkSession) -> Iterator[None]:
    before = spark.conf.get(SHUFFLE)
    yield
    spark.conf.set(SHUFFLE, str(before))


def moved(settings: Settings, folder: Path) -> Settings:
    """Give the same settings for a lake in another folder."""
    return settings.model_copy(
        update={
            "source": settings.source.model_copy(update={"table": str(folder / "raw")}),
            "tables": settings.tables.model_copy(update={"location": str(folder / "tables")}),
            "output": settings.output.model_copy(update={"folder": str(folder / "output")}),
        }
    )


def comparable(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for key in ("run_id", "config", "config_hash", "tables"):
        del manifest[key]
    manifest["source"] = manifest["source"]["rows"]
    return manifest


@pytest.mark.usefixtures("partitions")
@pytest.mark.parametrize(("files", "shuffle"), [(1, 1), (17, 3)])
def test_partitions_and_order_do_not_show(
    demo: Demo, spark: SparkSession, tmp_path: Path, files: int, shuffle: int
) -> None:
    raw = spark.read.format("delta").load(demo.settings.source.table)
    shuffled = raw.orderBy(F.xxhash64(F.lit(files), *(F.col(name) for name in raw.columns))).repartition(files)
    shuffled.write.format("delta").save(str(tmp_path / "raw"))
    spark.conf.set(SHUFFLE, str(shuffle))
    settings = moved(demo.settings, tmp_path)
    curate(spark, settings)
    for split in SPLITS:
        found = (Path(settings.output.folder) / f"{split}.jsonl").read_bytes()
        assert found == (demo.output / f"{split}.jsonl").read_bytes()
    assert comparable(Path(settings.output.folder)) == comparable(demo.output)


def test_growing_data_moves_no_conversation(demo: Demo, spark: SparkSession, tmp_path: Path) -> None:
    raw = spark.read.format("delta").load(demo.settings.source.table)
    half = raw.where(F.pmod(F.crc32(F.coalesce("user_id", "conversation_id", F.lit(""))), F.lit(2)) == 0)
    half.write.format("delta").save(str(tmp_path / "raw"))
    settings = moved(demo.settings, tmp_path)
    curate(spark, settings)

    def splits(of: Settings) -> dict[str, str]:
        rows = table(spark, of, "examples").select("conversation_id", "split").collect()
        return {row["conversation_id"]: row["split"] for row in rows}

    before, after = splits(settings), splits(demo.settings)
    assert 0 < len(before) < len(after)
    assert {i: after[i] for i in before if i in after} == {i: split for i, split in before.items() if i in after}
    copies = {row["conversation_id"] for row in demo.truth if row["defect"] == "duplicate_exact"}
    assert before.keys() - after.keys() <= copies


def test_a_group_is_in_one_split(demo: Demo, spark: SparkSession) -> None:
    examples = table(spark, demo.settings, "examples")
    counted = examples.groupBy("group_key").agg(
        F.count_distinct("split").alias("splits"), F.count(F.lit(1)).alias("examples")
    )
    rows = counted.collect()
    assert {row["splits"] for row in rows} == {1}
    assert any(row["examples"] > 1 for row in rows), "no user has two conversations: the test would prove nothing"
    users = examples.where("user_id IS NOT NULL").groupBy("user_id").agg(F.count_distinct("split").alias("splits"))
    assert {row["splits"] for row in users.collect()} == {1}
    assert {row["split"] for row in examples.select("split").distinct().collect()} == set(SPLITS)
