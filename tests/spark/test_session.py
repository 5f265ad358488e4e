"""The running session: Delta, time zone, ANSI, workers, and what a second request gets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.errors import ArithmeticException, NumberFormatException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import SessionSettings
from finelake.session import spark_session

pytestmark = pytest.mark.spark


def test_a_delta_table_is_written_and_read_back(spark: SparkSession, delta_folder: str) -> None:
    place = f"{delta_folder}/numbers"
    spark.range(10).write.format("delta").save(place)
    spark.range(10, 15).write.format("delta").mode("append").save(place)
    assert spark.read.format("delta").load(place).count() == 15
    assert spark.read.format("delta").option("versionAsOf", 0).load(place).count() == 10


def test_times_are_utc_and_arithmetic_is_ansi(spark: SparkSession) -> None:
    assert spark.sql("SELECT current_timezone()").first() == ("UTC",)
    with pytest.raises(ArithmeticException, match="DIVIDE_BY_ZERO"):
        spark.sql("SELECT 1 / 0").collect()


def test_a_failed_query_leaves_no_values_in_the_log(spark: SparkSession, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NumberFormatException, match="a-customer-wrote-this"):
        spark.sql("SELECT CAST('a-customer-wrote-this' AS INT)").collect()
    assert "a-customer-wrote-this" not in capfd.readouterr().err


def test_python_workers_run_this_interpreter(spark: SparkSession) -> None:
    def interpreters(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield pd.DataFrame({"path": [str(Path(sys.executable).resolve())] * len(batch)})

    found = spark.range(1).mapInPandas(interpreters, "path string").first()
    assert found == (str(Path(sys.executable).resolve()),)


def test_temporary_functions_see_the_package(spark: SparkSession) -> None:
    def version(values: pd.Series) -> pd.Series:
        import finelake

        return values.map(lambda _: finelake.__version__)

    import finelake

    tell = F.pandas_udf(version, "string")
    assert spark.range(1).select(tell(F.col("id"))).first() == (finelake.__version__,)


@pytest.mark.parametrize("mode", ["auto", "existing"])
def test_an_active_session_is_taken(spark: SparkSession, mode: str) -> None:
    settings = SessionSettings.model_validate({"mode": mode})
    assert spark_session(settings, app_name="second") is spark
