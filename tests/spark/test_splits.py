"""Splits on plain frames: links, pins, conflicts, exact shares, and a cut in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.audit import Evidence, audit_splits
from finelake.config.settings import Decontamination, Splits
from finelake.errors import ConfigError
from finelake.splits import Known, Placed, assign_splits
from finelake.splitting.groups import single_group

pytestmark = pytest.mark.spark

COLUMNS = (
    "conversation_id string, user_id string, dedup_key string, last_at timestamp, language string, "
    "reasons array<string>"
)
PIN_COLUMNS = (
    "conversation_id string, single_group string, group_key string, dedup_key string, stratum string, split string"
)
EQUAL = Splits(validation=0.3, test=0.3)

Row = tuple[str, str | None, datetime | None, str | None]


def conversation(name: str, user: str | None = None, *, at: str | None = None, language: str | None = None) -> Row:
    """Describe a conversation; its text is its name."""
    return (name, user, datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None, language)


def annotated(spark: SparkSession, rows: Iterable[Row]) -> DataFrame:
    """Build the columns of annotated conversations that splits go by."""
    full = [(name, user, f"text of {name}", at, language, []) for name, user, at, language in rows]
    return spark.createDataFrame(full, COLUMNS)


def pins_of(spark: SparkSession, pins: dict[str, str], rows: Sequence[Row]) -> DataFrame:
    """Build pins (conversation to split) as an earlier run has left them."""
    users = {name: user for name, user, _, _ in rows}
    made = [
        (name, f"user:{users[name]}" if users.get(name) else f"text:text of {name}", "", f"text of {name}", "", split)
        for name, split in pins.items()
    ]
    return spark.createDataFrame(made, PIN_COLUMNS)


def near(spark: SparkSession, rows: Sequence[Row], *linked: tuple[str, str]) -> dict[str, DataFrame]:
    """Give pairs and groups of near duplicates, as part `near` finds them; the groups hang together by the links."""
    of = {name: f"user:{user}" if user else f"text:text of {name}" for name, user, _, _ in rows}
    root: dict[str, str] = {group: group for group in of.values()}

    def find(group: str) -> str:
        while root[group] != group:
            group = root[group]
        return group

    for first, second in linked:
        low, high = sorted([find(of[first]), find(of[second])])
        root[high] = low
    groups = [(group, find(group)) for group in root if find(group) != group]
    return {
        "pairs": spark.createDataFrame(linked, "first_id string, second_id string"),
        "groups": spark.createDataFrame(groups, "single_group string, joined_group string"),
    }


def result(placed: Placed) -> tuple[dict[str, str], dict[str, tuple[str, str | None, str]]]:
    """Give split by conversation, and (reason, kept_id, value) of what was set aside."""
    rows = placed.rows.select("conversation_id", "split").collect()
    removals = [row for frame in placed.removals for row in frame.collect()]
    assert len({row["conversation_id"] for row in removals}) == len(removals)
    aside = {row["conversation_id"]: (row["reason"], row["kept_id"], row["value"]) for row in removals}
    return {row["conversation_id"]: row["split"] for row in rows if row["conversation_id"] not in aside}, aside


def leaks(placed: Placed, **evidence: Any) -> dict[str, int]:
    """Audit what is left, and give the checks that failed."""
    left = placed.rows
    for frame in placed.removals:
        left = left.join(frame.select("conversation_id"), on="conversation_id", how="left_anti")
    examples = left.withColumn("window", F.lit(0))
    found = audit_splits(Evidence(examples=examples, **evidence), splits=EQUAL, decontamination=Decontamination())
    return {each.check: each.found for each in found if not each.passed}


def test_pitfall_1_all_conversations_of_a_user_are_in_one_split(spark: SparkSession) -> None:
    rows = [conversation(f"c{n}", f"u{n % 20}") for n in range(100)]
    split, _ = result(assign_splits(annotated(spark, rows), config=EQUAL, known=Known()))
    by_user = {user: {split[name] for name, of, _, _ in rows if of == user} for _, user, _, _ in rows}
    assert all(len(splits) == 1 for splits in by_user.values())
    assert Counter(next(iter(splits)) for splits in by_user.values()).keys() == {"train", "validation", "test"}


def test_pitfall_2_near_duplicates_of_strangers_are_in_one_split(spark: SparkSession) -> None:
    rows = [conversation(f"c{n}", f"u{n}") for n in range(40)]
    links = near(spark, rows, *((f"c{n}", f"c{n + 1}") for n in range(0, 40, 2)))
    apart, _ = result(assign_splits(annotated(spark, rows), config=EQUAL, known=Known()))
    assert any(apart[f"c{n}"] != apart[f"c{n + 1}"] for n in range(0, 40, 2)), "the test would prove nothing"
    placed = assign_splits(annotated(spark, rows), config=EQUAL, known=Known(**links))
    split, aside = result(placed)
    assert all(split[f"c{n}"] == split[f"c{n + 1}"] for n in range(0, 40, 2))
    assert not aside
    assert leaks(placed, pairs=links["pairs"]) == {}


def test_pitfall_3_copies_that_may_stay_are_not_on_both_sides(spark: SparkSession) -> None:
    rows = annotated(spark, [conversation(f"c{n}", f"u{n}") for n in range(30)]).withColumn("dedup_key", F.lit("same"))
    placed = assign_splits(rows, config=EQUAL, known=Known(), copies=True)
    split, aside = result(placed)
    assert set(split.values()) == {"test"}
    assert {reason for reason, _, _ in aside.values()} == {"split_conflict"}
    assert len(split) + len(aside) == 30
    assert leaks(placed) == {}
    assert "texts_in_two_splits" in leaks(assign_splits(rows, config=EQUAL, known=Known()))


def test_pitfall_4_more_data_moves_no_example(spark: SparkSession) -> None:
    old = [conversation(f"old{n}", f"u{n}" if n % 2 else None) for n in range(40)]
    first, _ = result(assign_splits(annotated(spark, old), config=EQUAL, known=Known()))
    new = [conversation(f"new{n}", f"u{n}" if n % 3 else None) for n in range(60)]
    rows = old + new
    links = near(spark, rows, *((f"old{n}", f"new{n + 3}") for n in range(30)))
    pins = pins_of(spark, first, rows)
    placed = assign_splits(annotated(spark, rows), config=EQUAL, known=Known(**links, pins=pins))
    split, aside = result(placed)
    assert {split[name] for name in split.keys() & first.keys()} == {"train", "validation", "test"}
    assert all(split[name] == first[name] for name in split.keys() & first.keys())
    assert {reason for reason, _, _ in aside.values()} == {"split_conflict"}
    assert leaks(placed, pairs=links["pairs"], pins=pins) == {}


def test_pitfall_5_every_conversation_is_in_exactly_one_split(spark: SparkSession) -> None:
    rows = annotated(spark, [conversation(f"c{n}") for n in range(200)])
    for config in (EQUAL, EQUAL.model_copy(update={"stratify": ("language",)})):
        placed = assign_splits(rows, config=config, known=Known()).rows
        counted = placed.groupBy("conversation_id").agg(F.count(F.lit(1)).alias("n"), F.count("split").alias("splits"))
        assert counted.where("n <> 1 OR splits <> 1").count() == 0
        assert placed.count() == 200


def test_pitfall_6_splits_do_not_depend_on_partitions(spark: SparkSession) -> None:
    rows = [conversation(f"c{n}", f"u{n % 30}", language="ende"[n % 2 * 2 :][:2]) for n in range(120)]
    config = EQUAL.model_copy(update={"stratify": ("language",)})
    first, _ = result(assign_splits(annotated(spark, rows).coalesce(1), config=config, known=Known()))
    again, _ = result(assign_splits(annotated(spark, rows[::-1]).repartition(7), config=config, known=Known()))
    assert first == again


@pytest.mark.parametrize("stratify", [(), ("language",)])
def test_a_component_that_touches_two_splits_loses_its_bridges_alone(
    spark: SparkSession, stratify: tuple[str, ...]
) -> None:
    rows = [
        conversation("trained", "ann"),
        conversation("trained too", "ann"),
        conversation("tested", "bob"),
        conversation("bridge"),
        conversation("far", "cid"),
    ]
    links = near(spark, rows, ("trained", "bridge"), ("bridge", "tested"), ("tested", "far"))
    pins = pins_of(spark, {"trained": "train", "trained too": "train", "tested": "test"}, rows)
    config = EQUAL.model_copy(update={"stratify": stratify})
    placed = assign_splits(annotated(spark, rows), config=config, known=Known(**links, pins=pins))
    split, aside = result(placed)
    assert split == {"trained too": "train", "tested": "test", "bridge": "test", "far": "test"}
    assert aside == {"trained": ("split_conflict", "bridge", "near bridge")}
    assert leaks(placed, pairs=links["pairs"], pins=pins) == {}
    groups = {row["conversation_id"]: row["group_key"] for row in placed.rows.collect()}
    assert groups["trained too"] != groups["tested"] == groups["far"]


def test_text_and_user_held_in_two_splits_leave_no_place(spark: SparkSession) -> None:
    rows = [conversation("new", "ann"), conversation("known", "ann")]
    pins = pins_of(spark, {"known": "train", "erased": "test"}, rows)
    grown = annotated(spark, rows).withColumn(
        "dedup_key", F.when(F.col("conversation_id") == "new", F.lit("text of erased")).otherwise(F.col("dedup_key"))
    )
    split, aside = result(assign_splits(grown, config=EQUAL, known=Known(pins=pins)))
    assert split == {"known": "train"}
    assert aside == {"new": ("split_conflict", None, "text test, user train")}
    # A copy that was merged comes into no split: it needs no other reason.
    merged = grown.where("conversation_id = 'new'").select("conversation_id")
    assert result(assign_splits(grown, config=EQUAL, known=Known(pins=pins, removed=merged)))[1] == {}


def test_a_conversation_keeps_its_pin_when_its_user_becomes_known(spark: SparkSession) -> None:
    pins = pins_of(spark, {"early": "validation"}, [])
    rows = [conversation("early", "ann"), conversation("later", "ann")]
    split, aside = result(assign_splits(annotated(spark, rows), config=EQUAL, known=Known(pins=pins)))
    assert split == {"early": "validation", "later": "validation"}
    assert not aside


def test_shares_are_exact_in_every_stratum_and_stay_so(spark: SparkSession) -> None:
    config = Splits(validation=0.1, test=0.2, stratify=("language",))
    sizes = {"en": 600, "de": 50, "nl": 10, None: 30}
    rows = [conversation(f"{language}{n}", language=language) for language, size in sizes.items() for n in range(size)]
    half = [row for row in rows if int(row[0].removeprefix(str(row[3]))) % 2]
    first = assign_splits(annotated(spark, half), config=config, known=Known())
    pins = first.rows.select(
        "conversation_id",
        single_group().alias("single_group"),
        "group_key",
        "dedup_key",
        F.concat(F.lit("language="), F.coalesce("language", F.lit("?"))).alias("stratum"),
        "split",
    )
    split, aside = result(assign_splits(annotated(spark, rows), config=config, known=Known(pins=pins)))
    before, _ = result(first)
    assert before == {name: split[name] for name in before}
    assert not aside
    for language, size in sizes.items():
        here = Counter(split[name] for name, _, _, of in rows if of == language)
        assert abs(here["test"] - 0.2 * size) <= 2
        assert abs(here["validation"] - 0.1 * size) <= 2


def test_a_stratum_that_conversations_lack_is_named(spark: SparkSession) -> None:
    config = Splits(stratify=("topic",))
    with pytest.raises(ConfigError, match=r"splits\.stratify names topic"):
        assign_splits(annotated(spark, [conversation("a")]), config=config, known=Known())


def test_time_decides_where_splits_are_cut(spark: SparkSession) -> None:
    config = Splits.model_validate({"cut": {"validation_from": "2025-03-01", "test_from": "2025-04-01"}})
    rows = [
        conversation("early", "ann", at="2025-01-05"),
        conversation("returns", "ann", at="2025-04-20"),
        conversation("middle", "bob", at="2025-03-01"),
        conversation("late", "cid", at="2025-04-01"),
        conversation("later", "cid", at="2025-05-01"),
        conversation("unknown", "dan"),
    ]
    split, aside = result(assign_splits(annotated(spark, rows), config=config, known=Known()))
    assert split == {"early": "train", "middle": "validation", "late": "test", "later": "test"}
    assert {name: reason for name, (reason, _, _) in aside.items()} == {
        "returns": "outside_cut",
        "unknown": "cut_time_unknown",
    }
    at_once, before = split, rows[:1] + rows[2:3]
    first, _ = result(assign_splits(annotated(spark, before), config=config, known=Known()))
    pins = pins_of(spark, first, before)
    assert result(assign_splits(annotated(spark, rows), config=config, known=Known(pins=pins)))[0] == at_once


def test_validation_may_be_a_share_of_what_lies_before_the_cut(spark: SparkSession) -> None:
    config = Splits.model_validate({"validation": 0.3, "cut": {"test_from": "2025-04-01"}})
    rows = [conversation(f"c{n}", at=f"2025-0{1 + n % 5}-10") for n in range(100)]
    split, aside = result(assign_splits(annotated(spark, rows), config=config, known=Known()))
    late = {name for name, _, at, _ in rows if at and at.month >= 4}
    assert {name for name, of in split.items() if of == "test"} == late
    assert 5 < Counter(split.values())["validation"] < 35
    assert not aside
