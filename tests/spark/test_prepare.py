"""Preference lines of a Delta table: published in an order that does not depend on partitions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.http.training.setting import settings_for

from finelake.config.models import load_catalogue
from finelake.errors import InputError
from finelake.prepare_source import prepare_source
from finelake.training.data import read_training_data
from support.method_lines import pairs

pytestmark = pytest.mark.spark


def test_lines_of_a_delta_table_are_published(spark: SparkSession, tmp_path: Path) -> None:
    rows = [(line, "spring") for line in [*pairs(120), "{}"]]
    table = str(tmp_path / "pairs")
    spark.createDataFrame(rows, "line string, origin string").repartition(3).write.format("delta").save(table)
    settings = settings_for(tmp_path, url="https://shop.example", training={"method": "dpo"})
    model = load_catalogue().find(settings.model)
    work = partial(prepare_source, table, settings=settings, model=model, session=lambda: spark)
    done = work(column="line")
    assert (done.rows_in, done.kept, done.quarantined) == (121, 120, 1)
    assert read_training_data(tmp_path / "published").method == "dpo"
    published = (tmp_path / "published" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert published == sorted(published)
    with pytest.raises(InputError, match=r"has no column 'text'; it has: line, origin"):
        work(column="text")
