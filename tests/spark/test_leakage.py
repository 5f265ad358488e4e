"""A lake that grows: pins hold, evaluation data stays out, a repeated run gives the same, and leaks stop everything."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import finelake.curate
from finelake.config.settings import Settings, Splits
from finelake.curate import curate
from finelake.errors import LeakageError
from finelake.relate.graph_spark import Save
from finelake.splits import Known, Placed, assign_splits
from finelake.why import tell
from support.lake import TURN_COLUMNS, TurnTuple, outcomes, settings_for, table, talk

pytestmark = pytest.mark.spark

SPLITS = ("train", "validation", "test")
LEAKED = "how do I reset the heating controller in the cellar after the power came back last night"


def chats(numbers: Iterable[int]) -> list[TurnTuple]:
    """Build conversations of 25 users, all of another text."""
    rows: list[TurnTuple] = []
    for n in numbers:
        rows += talk(f"c{n}", f"question {n} about thing {n * 7}", f"answer {n} is thing {n * 3}", user=f"u{n % 25}")
    return rows


def add(spark: SparkSession, rows: list[TurnTuple], folder: Path) -> None:
    spark.createDataFrame(rows, TURN_COLUMNS).write.format("delta").mode("append").save(str(folder / "raw"))


def files(settings: Settings) -> dict[str, bytes]:
    folder = Path(settings.output.folder)
    return {split: (folder / f"{split}.jsonl").read_bytes() for split in SPLITS}


def manifest(settings: Settings) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((Path(settings.output.folder) / "manifest.json").read_text(encoding="utf-8"))
    return loaded


def splits_of(spark: SparkSession, settings: Settings) -> dict[str, str]:
    rows = table(spark, settings, "examples").select("conversation_id", "split").collect()
    return {row["conversation_id"]: row["split"] for row in rows}


def test_a_lake_that_grows(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench.jsonl").write_text(json.dumps({"q": LEAKED}) + "\n", encoding="utf-8", newline="\n")
    evaluation = {"tables": [{"name": "bench", "file": str(tmp_path / "bench.jsonl"), "prompt": "q"}]}
    sections = {"splits": {"validation": 0.2, "test": 0.2}, "decontamination": evaluation}
    settings = settings_for(tmp_path, **sections)
    add(spark, chats(range(60)), tmp_path)
    curate(spark, settings)
    first, first_files = splits_of(spark, settings), files(settings)
    assert set(first.values()) == set(SPLITS)
    assert manifest(settings)["assignments"]["pinned_before"] == 0

    # Killed after pinning: the same run again sees the same pins, gives the same files, and pins nothing twice.
    (Path(settings.output.folder) / "manifest.json").unlink()
    curate(spark, settings)
    assert files(settings) == first_files
    assert table(spark, settings, "assignments").count() == len(first)

    # Users come back, one conversation copies a benchmark's question, and an old one is erased.
    trained = next(name for name, split in first.items() if split == "train")
    user = f"u{int(trained.removeprefix('c')) % 25}"
    add(spark, [*chats(range(60, 90)), *talk("leaked", f"Hello! {LEAKED}?", "like so", user=user)], tmp_path)
    spark.sql(f"DELETE FROM delta.`{tmp_path}/raw` WHERE conversation_id = 'c7'")
    curate(spark, settings)
    grown = splits_of(spark, settings)
    assert grown.keys() == {f"c{n}" for n in range(90)} - {"c7"}
    assert {name: grown[name] for name in first if name != "c7"} == {n: s for n, s in first.items() if n != "c7"}
    assert all(grown[f"c{n}"] == grown[f"c{n - 25}"] for n in range(60, 90))
    assert outcomes(spark, settings)["leaked"]["reason"] == "contaminated"
    story = tell(spark, settings, "leaked").chapters
    assert [chapter.value for chapter in story if chapter.step == "decontaminate"] == [
        "bench prompt of " + spans(spark, settings)["row_id"] + ": words 1 to 18 of message 0"
    ]
    audit = {row["check"]: row for row in table(spark, settings, "audit").collect()}
    assert all(row["passed"] for row in audit.values())
    assert audit["users_in_two_splits"]["found"] == audit["examples_moved"]["found"] == 0
    assert audit["prompt_overlap_with_tables"]["allowed"] == 0
    proof = manifest(settings)
    assert {each["check"]: each["found"] for each in proof["audit"]} == {
        name: row["found"] for name, row in audit.items()
    }
    assert proof["assignments"]["batch"] == 1
    assert proof["assignments"]["pinned_before"] == len(first)

    # A splitter that parts rows, not groups: nothing is published, nothing is pinned.
    add(spark, chats(range(90, 120)), tmp_path)
    monkeypatch.setattr(finelake.curate, "assign_splits", parted_by_row)
    pinned = table(spark, settings, "assignments").count()
    with pytest.raises(LeakageError, match="users_in_two_splits") as caught:
        curate(spark, settings)
    assert caught.value.exit_code == 9
    assert table(spark, settings, "assignments").count() == pinned
    assert manifest(settings) == proof
    failed = table(spark, settings, "audit").where("NOT passed").select("check").collect()
    assert {"users_in_two_splits", "groups_in_two_splits", "examples_moved"} <= {row["check"] for row in failed}


def spans(spark: SparkSession, settings: Settings) -> Any:
    return table(spark, settings, "contamination").where("conversation_id = 'leaked'").first()


def parted_by_row(
    annotated: DataFrame, *, config: Splits, known: Known, copies: bool = False, save: Save | None = None
) -> Placed:
    """Assign splits, then give every other conversation another one."""
    rows = assign_splits(annotated, config=config, known=known, copies=copies, save=save).rows
    odd = F.pmod(F.crc32("conversation_id"), F.lit(2)) == 1
    return Placed(rows.withColumn("split", F.when(odd, F.lit("train")).otherwise(F.lit("test"))), [])
