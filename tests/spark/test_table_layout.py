"""Tables in Delta: comments, clustering, change feed, constraints; kept by later writes, in one commit each."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Tables
from finelake.errors import InputError
from finelake.tables import names
from finelake.tables.contracts import CONTRACTS, checked
from finelake.tables.ddl import layout_of
from finelake.tables.descriptions import describe_column, describe_table
from finelake.tables.names import TableRef, source_ref, table_ref
from finelake.tables.reading import latest_version, read_table
from finelake.tables.writing import append_once, overwrite
from support.tables import frame_of

pytestmark = pytest.mark.spark


def detail(spark: SparkSession, table: TableRef) -> Row:
    found = spark.sql(f"DESCRIBE DETAIL {table.sql}").first()
    assert found is not None
    return found


@pytest.mark.parametrize("place", ["folder", "catalog"])
def test_a_table_that_is_written_anew_keeps_its_layout_in_one_commit(
    spark: SparkSession, tmp_path: Path, place: str
) -> None:
    location = str(tmp_path / "tables") if place == "folder" else "default"
    table = table_ref(Tables(location=location, prefix=f"{place}_"), names.QUARANTINE)
    frame = frame_of(spark, names.QUARANTINE, rows=3)
    assert overwrite(checked(frame, names.QUARANTINE), table, run_id="run1") == 0
    retention = ("delta.deletedFileRetentionDuration", "interval 30 days")
    spark.sql(f"ALTER TABLE {table.sql} SET TBLPROPERTIES ('{retention[0]}' = '{retention[1]}')")
    assert overwrite(checked(frame, names.QUARANTINE), table, run_id="run2") == 2
    found = detail(spark, table)
    assert list(found["clusteringColumns"]) == list(layout_of(names.QUARANTINE).clustered)
    assert found["description"] == describe_table(names.QUARANTINE)
    assert found["properties"]["delta.enableChangeDataFeed"] == "true"
    assert found["properties"]["finelake.run"] == "run2"
    assert found["properties"][retention[0]] == retention[1]
    comments = {each.name: each.metadata.get("comment") for each in read_table(spark, table).schema}
    assert comments == {name: describe_column(names.QUARANTINE, name) for name in comments}
    feed = spark.read.option("readChangeFeed", "true").option("startingVersion", 2)
    changes = (feed.format("delta").load(table.reference) if table.is_path else feed.table(table.sql)).groupBy(
        "_change_type"
    )
    assert {row["_change_type"]: row["count"] for row in changes.count().collect()} == {"insert": 3, "delete": 3}


def test_an_appended_table_is_made_once_with_its_constraints(spark: SparkSession, tmp_path: Path) -> None:
    table = table_ref(Tables(location=str(tmp_path / "tables")), names.ASSIGNMENTS)
    good = frame_of(spark, names.ASSIGNMENTS, rows=2).withColumn("split", F.lit("train"))
    good = good.withColumn("conversation_id", F.lit("c"))
    append_once(good, table, key="first")
    append_once(good, table, key="second")
    append_once(good, table, key="second")
    assert read_table(spark, table).count() == 4
    found = detail(spark, table)
    assert list(found["clusteringColumns"]) == ["conversation_id"]
    assert {key for key in found["properties"] if key.startswith("delta.constraints.")} == {
        "delta.constraints.known_split",
        "delta.constraints.named_conversation",
    }
    # Making it is one commit, and one each constraint; then one a write.
    assert latest_version(spark, table) == len(layout_of(names.ASSIGNMENTS).checks) + 2
    for wrong in (F.lit("tain"), F.lit(None).cast("string")):
        with pytest.raises(Exception, match="DELTA_VIOLATE_CONSTRAINT"):
            append_once(good.withColumn("split", wrong), table, key=f"wrong {wrong}")


def test_every_table_of_a_contract_can_be_made(spark: SparkSession) -> None:
    # Analysed only: a plan of the statement finds a key that the contract lacks, or a column's type that SQL does not.
    from finelake.tables.ddl import create_sql

    for name in CONTRACTS:
        statement = create_sql(table_ref(Tables(location="default", prefix="planned_"), name))
        assert spark.sql(f"EXPLAIN {statement}").first() is not None
        columns = set(CONTRACTS[name].to_schema().columns)
        assert set(layout_of(name).clustered) <= columns


def test_a_catalog_without_tags_is_said_in_one_line(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from finelake.tables import tags

    tags._say.cache_clear()
    with caplog.at_level(logging.INFO, logger="finelake"):
        for name in (names.RUNS, names.ALIASES):
            assert not tags.tag(spark, table_ref(Tables(location=str(tmp_path)), name))
            assert not tags.tag(spark, table_ref(Tables(location="spark_catalog.default"), name))
    told = [record.getMessage() for record in caplog.records if "tags are not set" in record.getMessage()]
    assert len(told) == 2
    assert len(set(told)) == 2


def test_odd_names_reach_the_catalog_whole(spark: SparkSession) -> None:
    # Spark's own catalog takes no hyphen, Unity Catalog does: the name must come through, not break the statement.
    table = source_ref("spark_catalog.default.odd-name")
    writes = (partial(overwrite, run_id="r"), partial(append_once, key="odd"))
    for write in writes:
        with pytest.raises(AnalysisException, match="odd-name"):
            write(spark.range(2), table)
    with pytest.raises(InputError, match="TABLE_OR_VIEW_NOT_FOUND"):
        read_table(spark, table)
