"""The run log: what was recorded is found again by the same run, and by no other."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from finelake.errors import InputError
from finelake.tables.names import TableRef
from finelake.tables.runs import RunLog

pytestmark = pytest.mark.spark


def test_entries_are_found_again_by_their_own_run_alone(spark: SparkSession, delta_folder: str) -> None:
    table = TableRef(f"{delta_folder}/runs")
    log = RunLog(spark, table, run_id="one")
    assert log.intent("job") is None

    log.record_intent("job", {"suffix": "é"})
    log.record_result("job", {"job_id": "ftjob-1"})

    again = RunLog(spark, table, run_id="one")
    assert again.intent("job") == {"suffix": "é"}
    assert again.result("job") == {"job_id": "ftjob-1"}
    assert again.result("deploy") is None
    assert RunLog(spark, table, run_id="two").result("job") is None


def test_a_table_of_another_form_is_named(spark: SparkSession, delta_folder: str) -> None:
    place = f"{delta_folder}/runs"
    spark.sql("SELECT 'one' AS run_id, 1 AS step").write.format("delta").save(place)
    with pytest.raises(InputError, match=r"Table runs breaks its contract: missing columns \['entry'"):
        RunLog(spark, TableRef(place), run_id="one")
