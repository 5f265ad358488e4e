"""Erased rows leave the disk, also where tables have deletion vectors and DELETE only marks rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from finelake.curate import curate
from finelake.erasure.erase import erase
from finelake.erasure.vacuum import vacuum
from finelake.publish import read_manifest
from finelake.tables.changes import identify
from finelake.tables.names import TableRef, source_ref
from support.lake import TURN_COLUMNS, outcomes, save_turns, settings_for, talk

pytestmark = pytest.mark.spark

SECRET = "quetzalcoatlus"
DEFAULTS = {
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "true",
    "spark.databricks.delta.properties.defaults.enableChangeDataFeed": "true",
}


@pytest.fixture
def marking(spark: SparkSession) -> Iterator[None]:
    """Every new table has deletion vectors, as it may on Databricks."""
    for key, value in DEFAULTS.items():
        spark.conf.set(key, value)
    yield
    for key in DEFAULTS:
        spark.conf.unset(key)


def tables_with_files_of(folder: Path, text: str) -> set[str]:
    """Name the tables of which some data file, of any version, holds a text."""
    files = [path for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts]
    return {path.parent.name for path in files if text in str(pq.read_table(path, partitioning=None).to_pylist())}


def keep(spark: SparkSession, place: TableRef, interval: str) -> None:
    """Set how long a table keeps what was deleted."""
    spark.sql(f"ALTER TABLE {place.sql} SET TBLPROPERTIES (delta.deletedFileRetentionDuration = '{interval}')")


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("marking")
def test_rows_that_are_only_marked_as_deleted_go_too(spark: SparkSession, tmp_path: Path) -> None:
    rows = [row for n in range(14) for row in talk(f"c-{n:02d}", f"Where is order {n}?", f"On its way, {n}.")]
    save_turns(spark, [*rows, *talk("s-1", f"My word is {SECRET}.", f"It is {SECRET}.")], tmp_path / "raw")
    settings = settings_for(tmp_path)
    curate(spark, settings)
    erase(spark, settings, conversations=["s-1"], raw=True)
    tables = [TableRef(str(path)) for path in (tmp_path / "tables").iterdir()]
    for each in (source_ref(settings.source.table), *tables):
        assert identify(spark, each).deletion_vectors
        keep(spark, each, "interval 0 hours")
    time.sleep(1)  # files of this very moment are kept
    for each in (source_ref(settings.source.table), *tables):
        spark.sql(f"VACUUM {each.sql}")
    assert tables_with_files_of(tmp_path, SECRET) >= {"raw", "annotated"}, "VACUUM alone keeps them"

    vacuum(spark, settings, raw=True)
    assert tables_with_files_of(tmp_path, SECRET) == set()
    assert tables_with_files_of(tmp_path, "order 3") >= {"raw", "annotated", "examples"}

    # The rewritten tables are the same to the next increment. Delta 4.4 reads no version that is past its retention.
    for each in (source_ref(settings.source.table), *tables):
        keep(spark, each, "interval 1 week")
    late = spark.createDataFrame(talk("d-1", "Is it new?", "It is new."), TURN_COLUMNS)
    late.write.format("delta").mode("append").save(settings.source.table)
    curate(spark, settings)
    increment = (read_manifest(Path(settings.output.folder)) or {})["increment"]
    assert (increment["way"], increment["rebuilt"], increment["gone"]) == ("feed", 1, 0)
    assert set(outcomes(spark, settings)) == {*(f"c-{n:02d}" for n in range(14)), "d-1"}
