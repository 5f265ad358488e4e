"""The balance of the ledger: every raw row in exactly one outcome, and no tampering goes unseen."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.errors import BalanceError
from finelake.tables.balance import check_balance, count_totals
from support.lake import Demo, table

pytestmark = pytest.mark.spark


def test_counts_add_up(demo: Demo) -> None:
    balance = demo.curation.balance
    assert balance.rows_in == demo.files.lines == demo.ingested.rows
    assert balance.rows_kept + balance.rows_quarantined + balance.rows_merged == balance.rows_in
    conversations = (balance.conversations_kept, balance.conversations_quarantined, balance.conversations_merged)
    assert sum(conversations) == balance.conversations
    assert min(conversations) > 0
    turns = (balance.turns_kept, balance.turns_merged, balance.turns_trimmed, balance.turns_duplicate)
    assert sum(turns) == balance.rows_kept
    assert min(turns) > 0
    assert sum(item.examples for item in demo.curation.files.values()) == balance.conversations_kept


def test_every_conversation_has_one_outcome_and_loose_rows_one_each(demo: Demo, spark: SparkSession) -> None:
    ends = table(spark, demo.settings, "ledger").where("step = 'outcome'")
    whole = ends.where("conversation_id IS NOT NULL").groupBy("conversation_id").count()
    assert {row["count"] for row in whole.collect()} == {1}
    total = ends.agg(F.sum("rows"), F.count(F.lit(1))).first()
    assert total == (demo.files.lines, demo.curation.balance.conversations + demo.curation.balance.loose_rows)


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("ledger", "step = 'outcome' AND action = 'keep'"),
        ("ledger", "step = 'outcome' AND action = 'quarantine'"),
        ("examples", "split = 'train'"),
        ("quarantine", "unit = 'conversation'"),
    ],
)
def test_a_lost_row_is_noticed(demo: Demo, spark: SparkSession, name: str, lost: str) -> None:
    frames = {part: table(spark, demo.settings, part) for part in ("ledger", "examples", "quarantine")}
    one = frames[name].where(lost).agg(F.min("conversation_id")).first()
    assert one is not None
    frames[name] = frames[name].where(~(F.expr(lost) & F.col("conversation_id").eqNullSafe(one[0])))
    with pytest.raises(BalanceError, match="Nothing was published"):
        check_balance(demo.files.lines, count_totals(**frames))


def test_a_conversation_counted_twice_is_noticed(demo: Demo, spark: SparkSession) -> None:
    frames = {part: table(spark, demo.settings, part) for part in ("ledger", "examples", "quarantine")}
    frames["ledger"] = frames["ledger"].unionAll(frames["ledger"].where("action = 'merge' AND step = 'outcome'"))
    with pytest.raises(BalanceError, match="raw rows"):
        check_balance(demo.files.lines, count_totals(**frames))


def test_changed_turn_counts_are_noticed(demo: Demo, spark: SparkSession) -> None:
    frames = {part: table(spark, demo.settings, part) for part in ("ledger", "examples", "quarantine")}
    frames["examples"] = frames["examples"].withColumn("trimmed", F.col("trimmed") + 1)
    with pytest.raises(BalanceError, match="fates"):
        check_balance(demo.files.lines, count_totals(**frames))
