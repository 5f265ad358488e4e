"""The journal of runs in Delta: numbered entries, a compare-and-set, and readers that see their own run alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from finelake.errors import InputError
from finelake.tables.journal import Entry
from finelake.tables.names import TableRef
from finelake.tables.runs import DeltaJournal, RunLog

pytestmark = pytest.mark.spark

MOMENT = datetime(2026, 11, 22, 16, 30, 15, 250_000, UTC)
FIRST = Entry(sequence=1, holder="a", step="job", entry="intent", payload={"suffix": "é"}, recorded_at=MOMENT)


def test_an_entry_is_written_once_and_by_one_holder(spark: SparkSession, delta_folder: str) -> None:
    table = TableRef(f"{delta_folder}/runs")
    journal = DeltaJournal(spark, table, run_id="one")
    assert journal.read() == []
    assert journal.append(FIRST)
    assert journal.append(FIRST)
    assert not journal.append(replace(FIRST, holder="b", payload={"suffix": "other"}))
    second = replace(FIRST, sequence=2, holder="b", entry="result", payload={"job_id": "ftjob-1"})
    assert journal.append(second)
    assert journal.read() == [FIRST, second]

    log = RunLog(spark, table, run_id="one")
    assert (log.intent("job"), log.result("job")) == ({"suffix": "é"}, {"job_id": "ftjob-1"})
    assert RunLog(spark, table, run_id="two").result("job") is None


def test_of_several_that_make_the_table_at_once_each_writes_its_entry(spark: SparkSession, delta_folder: str) -> None:
    table = TableRef(f"{delta_folder}/runs")
    journals = [DeltaJournal(spark, table, run_id=f"run-{number}") for number in range(4)]
    with ThreadPoolExecutor(len(journals)) as pool:
        assert list(pool.map(lambda journal: journal.append(FIRST), journals)) == [True] * len(journals)
    assert [journal.read() for journal in journals] == [[FIRST]] * len(journals)


def test_a_table_of_another_form_is_named_and_an_older_one_is_read(spark: SparkSession, delta_folder: str) -> None:
    place = f"{delta_folder}/other"
    spark.sql("SELECT 'one' AS run_id, 1 AS step").write.format("delta").save(place)
    with pytest.raises(InputError, match=r"Table runs breaks its contract: missing columns \['entry'"):
        RunLog(spark, TableRef(place), run_id="one")
    older = TableRef(f"{delta_folder}/older")
    rows = "SELECT 'one' AS run_id, 'job' AS step, 'result' AS entry, '{}' AS payload, current_timestamp() recorded_at"
    spark.sql(rows).write.format("delta").save(older.reference)
    assert DeltaJournal(spark, older, run_id="one").append(FIRST)
    assert RunLog(spark, older, run_id="one").result("job") == {}
