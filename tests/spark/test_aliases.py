"""The table of aliases in Delta: a change is one row, written once and by one holder."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from finelake.tables.aliases import AliasEntry, DeltaAliases
from finelake.tables.names import TableRef
from support.pages import ROOT, blocks
from support.queries import ask

pytestmark = pytest.mark.spark

FIRST = AliasEntry(
    project="shop",
    alias="production",
    sequence=1,
    action="promote",
    deployment="shop-production-1-global",
    model="m.ft-1",
    sku="GlobalStandard",
    capacity=50,
    run_id="one",
    verdict="hold",
    evaluation_id="e1",
    reason="Read by hand: é.",
    holder="a",
    recorded_at=datetime(2026, 11, 22, 16, 30, 15, 250_000, UTC),
)


def test_a_change_is_one_row_and_of_two_holders_one_writes_it(spark: SparkSession, delta_folder: str) -> None:
    table = TableRef(f"{delta_folder}/aliases")
    aliases = DeltaAliases(spark, table, project="shop")
    assert aliases.read() == []
    assert aliases.append(FIRST)
    assert aliases.append(FIRST)
    assert not aliases.append(replace(FIRST, holder="b", deployment="other"))
    second = replace(FIRST, sequence=2, action="rollback", deployment="older", reason=None, evaluation_id=None)
    assert aliases.append(second)
    other = replace(FIRST, alias="canary", holder="b")
    assert aliases.append(other)
    assert aliases.read() == [other, FIRST, second]
    assert DeltaAliases(spark, table, project="other").read() == []
    versions = spark.sql(f"DESCRIBE HISTORY delta.`{table.reference}`").count()
    assert versions == 3
    now = {row["alias"]: row for row in ask(spark, "aliases", aliases=table.reference)}
    assert (now["production"]["deployment"], now["production"]["last_action"]) == ("older", "rollback")
    assert (now["production"]["changes"], now["production"]["rollbacks"], now["canary"]["changes"]) == (2, 1, 1)
    (shown,) = [block.text for block in blocks(ROOT / "docs" / "promotion.md") if block.language == "sql"]
    assert spark.sql(shown.replace("FROM aliases", f"FROM {table.sql}")).collect() == [("older",)]
    (shown,) = [block.text for block in blocks(ROOT / "docs" / "databricks.md") if block.language == "sql"]
    newest = shown.strip().split(";")[2].replace("main.finelake.aliases", table.sql)
    assert {row["deployment"] for row in spark.sql(newest).collect()} == {"older", FIRST.deployment}
