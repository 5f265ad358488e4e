"""What happens to a raw table, and to its change data feed, between two curations: the result is right all the same."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.curate import curate
from finelake.ingest import ingest
from finelake.publish import read_manifest
from finelake.tables.names import source_ref
from finelake.tables.reading import read_table
from support.lake import TURN_COLUMNS, TurnTuple, contents, published_lines, settings_for, table, talk

pytestmark = pytest.mark.spark

NAMES = [column.split()[0] for column in TURN_COLUMNS.split(", ")]
COUNT = 14
FEED = "delta.enableChangeDataFeed"


def chats(first: int, count: int, word: str = "order") -> list[TurnTuple]:
    numbers = range(first, first + count)
    return [row for n in numbers for row in talk(f"c-{n:02d}", f"Where is {word} {n}?", f"It comes, {word} {n}.")]


def load(spark: SparkSession, settings: Settings, file: Path, rows: list[TurnTuple]) -> None:
    lines = [json.dumps(dict(zip(NAMES, row, strict=True))) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    ingest(spark, str(file), source_ref(settings.source.table))


def increment(settings: Settings) -> tuple[Any, Any, Any]:
    manifest = read_manifest(Path(settings.output.folder)) or {}
    return tuple(manifest["increment"][name] for name in ("way", "rebuilt", "gone"))  # type: ignore[return-value]


def assert_as_raw(spark: SparkSession, settings: Settings) -> None:
    """Compare the published conversations with the raw rows, text by text."""
    raw = read_table(spark, source_ref(settings.source.table)).orderBy("conversation_id", "turn_index").collect()
    expected: dict[str, list[str]] = {}
    for row in raw:
        expected.setdefault(row["conversation_id"], []).append(row["text"])
    lines = published_lines(Path(settings.output.folder))
    found = [[message["content"] for message in json.loads(line)["messages"]] for line in lines]
    assert sorted(found) == sorted(expected.values())
    assert {row[0] for row in table(spark, settings, "annotated").select("conversation_id").collect()} == set(expected)


@pytest.mark.timeout(1800)
def test_whatever_becomes_of_the_feed_the_result_is_right(spark: SparkSession, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    raw = f"delta.`{settings.source.table}`"
    load(spark, settings, tmp_path / "one.jsonl", chats(0, COUNT))
    curate(spark, settings)
    assert increment(settings)[0] == "full"

    # A table that `finelake ingest` made has a feed.
    load(spark, settings, tmp_path / "two.jsonl", chats(COUNT, 2))
    curate(spark, settings)
    assert increment(settings) == ("feed", 2, 0)
    assert_as_raw(spark, settings)

    spark.sql(f"RESTORE TABLE {raw} TO VERSION AS OF 0")
    curate(spark, settings)
    assert increment(settings)[1:] == (0, 2)
    assert_as_raw(spark, settings)

    spark.sql(f"ALTER TABLE {raw} SET TBLPROPERTIES ({FEED} = false)")
    spark.sql(f"UPDATE {raw} SET text = 'Where is my order?' WHERE conversation_id = 'c-01' AND turn_index = 0")
    spark.sql(f"ALTER TABLE {raw} SET TBLPROPERTIES ({FEED} = true)")
    spark.sql(f"UPDATE {raw} SET text = 'And mine?' WHERE conversation_id = 'c-02' AND turn_index = 0")
    curate(spark, settings)
    assert increment(settings) == ("compare", 2, 0)
    assert_as_raw(spark, settings)

    spark.sql(f"UPDATE {raw} SET text = 'Is it there?' WHERE conversation_id = 'c-03' AND turn_index = 0")
    spark.sql(f"ALTER TABLE {raw} SET TBLPROPERTIES (delta.deletedFileRetentionDuration = 'interval 0 hours')")
    time.sleep(1)  # files of this very moment are kept
    spark.sql(f"VACUUM {raw}")
    assert not list((tmp_path / "raw" / "_change_data").glob("*.parquet"))
    curate(spark, settings)
    assert increment(settings) == ("compare", 1, 0)
    assert_as_raw(spark, settings)

    # Made anew at the same place, with as many versions and other rows.
    versions = spark.sql(f"DESCRIBE HISTORY {raw}").count()
    shutil.rmtree(settings.source.table)
    load(spark, settings, tmp_path / "three.jsonl", chats(0, COUNT - 1, "parcel"))
    for n in range(1, versions):
        spark.sql(f"ALTER TABLE {raw} SET TBLPROPERTIES ('made' = '{n}')")
    made = curate(spark, settings)
    assert not made.up_to_date
    assert increment(settings)[0] == "full"
    assert_as_raw(spark, settings)
    whole = settings_for(tmp_path / "whole", source={"table": settings.source.table})
    curate(spark, whole)
    for name in ("annotated", "examples", "quarantine", "ledger"):
        assert contents(table(spark, settings, name)) == contents(table(spark, whole, name)), name
