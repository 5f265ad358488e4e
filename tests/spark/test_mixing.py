"""Mixing on real Spark, against the same choice made in plain Python from the collected places."""

from __future__ import annotations

from collections import defaultdict

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Cap, Mixing, Weights
from finelake.errors import InputError
from finelake.mixing.mix import NONE, Mixed, mix
from finelake.mixing.places import place_of

pytestmark = pytest.mark.spark

SCHEMA = (
    "conversation_id string, group_key string, user_id string, split string, trained_tokens bigint, language string, "
    "origins array<string>, metadata map<string,string>, topic int"
)


def made(n: int) -> tuple[object, ...]:
    language = None if n % 50 == 7 else ("en" if n % 4 else "de")
    user = f"u{n % 40}" if n % 3 else f"whale{n % 2}"
    split = "test" if n % 40 == 1 else "train"
    return (f"c{n}", f"user:{user}", user, split, 10 + n % 7, language, ["human"], {"shop": f"s{n % 3}"}, n % 5)


@pytest.fixture(scope="module")
def conversations(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([made(n) for n in range(600)], SCHEMA)


def removed(mixed: Mixed | None) -> dict[str, tuple[str, str, str]]:
    assert mixed is not None
    rows = mixed.removals.collect()
    found = {row["conversation_id"]: (row["reason"], row["value"], row["threshold"]) for row in rows}
    assert len(found) == len(rows), "a conversation is removed once"
    return found


def by_hand(conversations: DataFrame, config: Mixing, column: str, quota: int) -> set[str]:
    """Take conversations of the train split by place until the quota of their stratum is full."""
    rows = conversations.where("split = 'train'").select("*", place_of(config.salt).alias("place")).collect()
    used: dict[object, int] = defaultdict(int)
    full: set[object] = set()
    out = set()
    for row in sorted(rows, key=lambda row: row["place"]):
        stratum = row[column]
        if stratum in full or used[stratum] + row["trained_tokens"] > quota:
            full.add(stratum)
            out.add(row["conversation_id"])
        else:
            used[stratum] += row["trained_tokens"]
    return out


def test_a_cap_takes_what_plain_python_takes(conversations: DataFrame) -> None:
    config = Mixing(caps=(Cap(column="user_id", tokens=100),))
    found = removed(mix(conversations, config=config))
    assert set(found) == by_hand(conversations, config, "user_id", 100)
    assert {entry[0] for entry in found.values()} == {"over_cap"}
    assert {entry[2] for entry in found.values()} == {"100"}
    assert all(entry[1].startswith("user_id=") for entry in found.values())


def test_a_budget_takes_what_plain_python_takes_and_breaks_one_group_at_most(conversations: DataFrame) -> None:
    config = Mixing(budget_tokens=3000)
    found = removed(mix(conversations, config=config))
    whole = conversations.withColumn("user_id", F.lit("all"))
    assert set(found) == by_hand(whole, config, "user_id", 3000)
    train = conversations.where("split = 'train'").collect()
    users: dict[str, set[bool]] = defaultdict(set)
    for row in train:
        users[row["user_id"]].add(row["conversation_id"] in found)
    assert sum(len(fates) == 2 for fates in users.values()) <= 1
    assert not any(row["conversation_id"] in found for row in conversations.where("split = 'test'").collect())


def test_caps_then_weights_hold_together(conversations: DataFrame) -> None:
    config = Mixing(
        caps=(Cap(column="language", values=("en",), share=0.5), Cap(column="metadata.shop", tokens=900)),
        budget_tokens=700,
        weights=Weights(column="topic", values={"0": 4.0}),
    )
    mixed = mix(conversations, config=config)
    found = removed(mixed)
    assert mixed is not None
    left = [row for row in conversations.where("split = 'train'").collect() if row["conversation_id"] not in found]
    tokens: dict[object, int] = defaultdict(int)
    for row in left:
        tokens[row["topic"]] += row["trained_tokens"]
        tokens[row["metadata"]["shop"]] += row["trained_tokens"]
    assert all(tokens[shop] <= 900 for shop in ("s0", "s1", "s2"))
    assert 620 < sum(row["trained_tokens"] for row in left) <= 700
    assert tokens[0] > 2 * tokens[1]
    assert {reason for reason, _, _ in found.values()} == {"over_cap", "over_budget"}
    assert [limit["column"] for limit in mixed.summary["limits"]] == ["language", "metadata.shop", "topic"]


def test_growth_and_partitions_leave_the_order_of_choice_alone(spark: SparkSession, conversations: DataFrame) -> None:
    config = Mixing(budget_tokens=3000)
    before = removed(mix(conversations.repartition(7), config=config))
    assert before == removed(mix(conversations, config=config))
    grown = conversations.unionByName(spark.createDataFrame([made(n) for n in range(600, 700)], SCHEMA))
    after = removed(mix(grown, config=config))
    # A grown table fills the budget sooner, so what was out stays out.
    assert set(before) <= set(after)


def test_no_settings_no_work_and_unknown_columns_are_named(conversations: DataFrame) -> None:
    assert mix(conversations, config=Mixing()) is None
    with pytest.raises(InputError, match="'colour'"):
        mix(conversations, config=Mixing(caps=(Cap(column="colour", tokens=5),)))
    only = removed(mix(conversations, config=Mixing(caps=(Cap(column="language", values=(NONE,), tokens=0),))))
    without = conversations.where("language is null and split = 'train'").collect()
    assert set(only) == {row["conversation_id"] for row in without}
