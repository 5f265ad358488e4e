"""Topics, mixing and semantic duplicates inside a whole curation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.curate import curate
from finelake.tables.names import table_ref
from finelake.topics.assign import assign_topics
from finelake.topics.step import find_model
from finelake.topics.store import topics_hash
from finelake.why import tell
from support.lake import TURN_COLUMNS, TurnTuple, decisions, outcomes, save_turns, settings_for, table, talk

pytest.importorskip("sklearn", reason="scikit-learn is absent: pip install 'finelake[topics]'")

pytestmark = pytest.mark.spark

TALKS = {
    "bank": ("my account shows a wrong balance", "the transfer to the account was booked, the balance is right"),
    "bike": ("the brake of my bicycle is broken", "bring the bicycle to the workshop for a new brake"),
    "tea": ("which kettle boils water for green tea", "the copper kettle keeps water at the heat that green tea wants"),
}
EACH = 16
BUDGET = 300


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "output" / "manifest.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def settings(spark: SparkSession, tmp_path: Path) -> Settings:
    """Sixteen conversations of each of three themes, of which two of one theme have nearly the same vector."""
    save_turns(spark, _numbered(range(EACH)), tmp_path / "raw")
    vectors = [
        (f"{theme}{n}", [float(place), 0.001 if theme == "bank" and n == 1 else float(n), 1.0])
        for place, theme in enumerate(TALKS, start=1)
        for n in range(EACH)
    ]
    spark.createDataFrame(vectors, "id string, vector array<float>").write.format("delta").save(str(tmp_path / "v"))
    return settings_for(
        tmp_path,
        topics={"enabled": True, "count": 3, "min_users": 5},
        embeddings={"column": "vector", "table": str(tmp_path / "v"), "key": "id"},
        duplicates={"near": False, "semantic": {"enabled": True, "threshold": 0.999999, "clusters": 1}},
        mixing={"budget_tokens": BUDGET, "weights": {"column": "topic", "values": {"0": 2.0}}},
    )


def test_a_mixed_curation_balances_and_keeps_its_topics(
    spark: SparkSession, tmp_path: Path, settings: Settings
) -> None:
    curate(spark, settings)
    found, made, outcome = manifest(tmp_path), decisions(spark, settings), outcomes(spark, settings)

    (merged,) = made["duplicate_semantic"]
    assert {merged, outcome[merged]["kept_id"]} == {"bank0", "bank1"}
    told = tell(spark, settings, merged)
    assert (told.outcome, told.reason, told.kept_id) == ("merge", "duplicate_semantic", outcome[merged]["kept_id"])
    assert [chapter.reason for chapter in told.chapters] == ["duplicate_semantic", "duplicate_semantic"]
    assert float(told.chapters[0].value or 0) >= 0.999999
    assert merged not in {row["conversation_id"] for row in table(spark, settings, "examples").collect()}
    assert found["duplicates_semantic"]["pairs"] == table(spark, settings, "semantic_pairs").count() == 1
    assert found["files"]["train"]["trained_tokens"] <= BUDGET
    assert found["rules"]["over_budget"]["count"] == len(made["over_budget"]) > 0
    assert all(outcome[each]["action"] == "quarantine" for each in made["over_budget"])
    assert found["mixing"]["limits"][0]["column"] == "topic"

    topics = found["topics"]["topics"]
    terms = {term for topic in topics for term in topic["label"].split(", ")}
    assert terms <= {word for texts in TALKS.values() for text in texts for word in text.replace(",", "").split()}
    assert BUDGET // 3 < topics[0]["trained_tokens"] <= BUDGET // 2
    assert all(0 < topic["trained_tokens"] <= BUDGET // 4 for topic in topics[1:])
    assert found["topics"]["conversations"] == found["files"]["train"]["examples"]
    assert 0.9 < found["topics"]["entropy_tokens"] < 0.99

    annotated, place = table(spark, settings, "annotated"), table_ref(settings.tables, "topics")
    config_hash = topics_hash(settings.topics, vectors=None)
    stored = find_model(spark, annotated, config=settings.topics, config_hash=config_hash, table=place)
    assert not stored.fitted
    again = assign_topics(annotated, model=stored.model).collect()
    assert sorted(again) == sorted(table(spark, settings, "conversation_topics").collect())


def test_splits_by_topic_hold_while_a_mixed_table_grows(spark: SparkSession, tmp_path: Path) -> None:
    """Each curation balances its ledger and proves its splits, or it would raise."""
    settings = settings_for(
        tmp_path,
        topics={"enabled": True, "count": 3, "min_users": 5},
        splits={"validation": 0.25, "test": 0.25, "stratify": ["topic"]},
        mixing={"budget_tokens": 2 * BUDGET, "caps": [{"column": "topic", "share": 0.5}]},
    )
    save_turns(spark, _numbered(range(EACH)), tmp_path / "raw")
    curate(spark, settings)
    before = _splits(spark, settings)
    _shares_hold(before, each=EACH)
    more = spark.createDataFrame(list(_numbered(range(EACH, 2 * EACH))), TURN_COLUMNS)
    more.write.format("delta").mode("append").save(str(tmp_path / "raw"))
    curate(spark, settings)
    after = _splits(spark, settings)
    _shares_hold(after, each=2 * EACH)
    assert len(after) > len(before)
    assert {name: after[name] for name in before.keys() & after.keys()} == {
        name: split for name, split in before.items() if name in after
    }
    assert {name for name, split in before.items() if split != "train"} <= after.keys()
    found = manifest(tmp_path)
    assert 0 < found["files"]["train"]["trained_tokens"] <= 2 * BUDGET
    assert found["rules"]["over_budget"]["count"] == len(decisions(spark, settings)["over_budget"])
    for theme in TALKS:
        mine = (
            table(spark, settings, "examples").where(f"split = 'train' AND conversation_id LIKE '{theme}%'").collect()
        )
        assert 0 < sum(row["trained_tokens"] for row in mine) <= BUDGET, theme
    assert all(check["passed"] for check in found["audit"])


def _numbered(numbers: range) -> list[TurnTuple]:
    return [
        turn
        for theme, texts in TALKS.items()
        for n in numbers
        for turn in talk(f"{theme}{n}", *(f"{text} {n}." for text in texts), user=f"{theme}-user{n}")
    ]


def _splits(spark: SparkSession, settings: Settings) -> dict[str, str]:
    rows = table(spark, settings, "examples").select("conversation_id", "split").collect()
    return {row["conversation_id"]: row["split"] for row in rows}


def _shares_hold(splits: dict[str, str], *, each: int) -> None:
    for theme in TALKS:
        held = [split for name, split in splits.items() if name.startswith(theme)]
        for split in ("validation", "test"):
            assert abs(held.count(split) - each / 4) <= 1, (theme, split, held)
