"""Sources and places that cannot work: one message each, with the place and the remedy, and nothing published."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from finelake.config.settings import Output
from finelake.conversations.mapping import check_source
from finelake.curate import curate
from finelake.errors import ConfigError, FinelakeError, InputError, OutputError
from finelake.publish import publish
from finelake.tables.names import TableRef
from finelake.tables.reading import read_table
from finelake.tables.writing import overwrite
from support.lake import Demo, save_turns, settings_for, table, talk

pytestmark = pytest.mark.spark

SECRET_TEXT = "bandicoot-3318"


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two conversations, too few for any service."""
    folder = tmp_path_factory.mktemp("small")
    save_turns(spark, [*talk("a", SECRET_TEXT, SECRET_TEXT), *talk("b", SECRET_TEXT, "two")], folder / "raw")
    return folder


def refusal(spark: SparkSession, lake: Path, kind: type[FinelakeError], **source: Any) -> str:
    with pytest.raises(FinelakeError) as caught:
        curate(spark, settings_for(lake, source={"columns": {"turn_index": "turn_index"}} | source))
    assert type(caught.value) is kind
    assert not (lake / "output").exists()
    return str(caught.value)


def test_every_wrong_column_is_named_at_once(spark: SparkSession, lake: Path) -> None:
    columns = {"turn_index": "turn_idx", "text": "Text", "author": "speaker", "metadata": ["topic"]}
    message = refusal(spark, lake, InputError, columns=columns)
    assert f"Table {lake / 'raw'} does not fit the mapping" in message
    assert "source.columns.turn_index: no column turn_idx. Did you mean turn_index?" in message
    assert "source.columns.text: no column Text. Did you mean text?" in message
    assert "source.columns.author: no column speaker." in message
    assert "source.columns.metadata: no column topic." in message
    assert "Its columns: conversation_id, turn_index" in message
    assert "Mend source.columns" in message


def test_types_that_cannot_be_read_are_named(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.sql(
        "SELECT named_struct('a', 1) AS conversation_id, X'00' AS text, true AS turn_index, 'x' AS author"
    )
    settings = settings_for(tmp_path, source={"columns": {"turn_index": "turn_index"}})
    with pytest.raises(InputError) as caught:
        check_source(frame, settings.source)
    message = str(caught.value)
    assert "column conversation_id has type struct<a:int>, expected text" in message
    assert "column text has type binary, expected text" in message
    assert "column turn_index has type boolean, expected a whole number" in message


def test_an_id_column_that_was_named_must_be_there(spark: SparkSession, lake: Path) -> None:
    columns = {"messages": "text", "conversation_id": "conversation"}
    message = refusal(spark, lake, InputError, layout="conversations", columns=columns)
    assert "no column conversation. Did you mean conversation_id?" in message


def test_a_missing_table(spark: SparkSession, lake: Path) -> None:
    gone = str(lake / "gone")
    message = refusal(spark, lake, InputError, table=gone)
    assert message.startswith(f"Table {gone} cannot be read (")
    assert "check the name and your permission, or load files into it with `finelake ingest`" in message
    assert "cannot be read" in refusal(spark, lake, InputError, table="default.no_such_table")
    assert "cannot be read" in refusal(spark, lake, InputError, table="no_such_schema.no_such_table")


def test_a_version_that_does_not_exist(spark: SparkSession, lake: Path) -> None:
    assert f"Table {lake / 'raw'} at version 7 cannot be read" in refusal(
        spark, lake, InputError, table=str(lake / "raw"), version=7
    )


def test_a_folder_that_holds_no_delta_table(spark: SparkSession, lake: Path) -> None:
    place = str(lake / "parquet")
    spark.range(3).write.mode("overwrite").parquet(place)
    assert f"Table {place} cannot be read" in refusal(spark, lake, InputError, table=place)
    (lake / "nothing").mkdir(exist_ok=True)
    assert "cannot be read" in refusal(spark, lake, InputError, table=str(lake / "nothing"))


def test_an_empty_table(spark: SparkSession, lake: Path, tmp_path: Path) -> None:
    save_turns(spark, [], tmp_path / "none")
    message = refusal(spark, lake, InputError, table=str(tmp_path / "none"))
    assert "is empty at version 0. Load rows with `finelake ingest`" in message


def test_too_few_examples(spark: SparkSession, lake: Path) -> None:
    message = refusal(spark, lake, InputError)
    assert message.startswith("2 training examples are left of 2 conversations; the service needs 10.")
    assert "ledger says why each was set aside" in message
    assert SECRET_TEXT not in message


@pytest.mark.parametrize("place", ["/proc/finelake", "a file"])
def test_tables_that_cannot_be_written(spark: SparkSession, tmp_path: Path, place: str) -> None:
    if place == "a file":
        (tmp_path / "file").write_text("in the way", encoding="utf-8")
        place = str(tmp_path / "file")
    with pytest.raises(OutputError, match=rf"{place}.*(Grant write access|folder that is free)"):
        overwrite(spark.range(3), TableRef(f"{place}/numbers"), run_id="r")


def test_an_output_folder_that_cannot_be_written(demo: Demo, spark: SparkSession, tmp_path: Path) -> None:
    examples = table(spark, demo.settings, "examples")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    for place in (str(tmp_path / "file"), "/proc/finelake/output"):
        with pytest.raises(OutputError, match=rf"{place}( |\.).*(Grant write access|folder that is free)"):
            publish(examples, config=Output(folder=place))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB, where this machine lets the test mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.name != "posix" or mount is None or os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root alone")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk")
    yield place
    # Spark may still hold a file of the write that failed.
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=True)


def test_a_full_disk_while_publishing(demo: Demo, spark: SparkSession, full_disk: Path) -> None:
    with pytest.raises(OutputError, match=rf"No space left while writing {full_disk}.*Free space there"):
        publish(table(spark, demo.settings, "examples"), config=Output(folder=str(full_disk)))
    assert not (full_disk / "manifest.json").exists()


def test_a_full_disk_while_writing_a_table(spark: SparkSession, full_disk: Path) -> None:
    noise = spark.range(40_000).selectExpr("sha2(string(id), 256) AS text")
    with pytest.raises(OutputError, match=rf"No space left while writing {full_disk}.*Free space there"):
        overwrite(noise, TableRef(str(full_disk / "noise")), run_id="r")
    with pytest.raises(InputError):
        read_table(spark, TableRef(str(full_disk / "noise")))


def test_a_row_schema_that_cannot_be_imported(spark: SparkSession, lake: Path) -> None:
    settings = settings_for(lake, checks={"row_schemas": ["no_such_module:schema"]})
    with pytest.raises(ConfigError, match=r"checks\.row_schemas: no_such_module:schema cannot be imported"):
        curate(spark, settings)


def test_evaluation_tables_and_vectors_are_checked_before_any_work(
    spark: SparkSession, lake: Path, tmp_path: Path
) -> None:
    places = {"tables": {"location": str(tmp_path / "tables")}, "output": {"folder": str(tmp_path / "output")}}
    golden = {"name": "golden", "table": str(lake / "raw"), "prompt": "question"}
    with pytest.raises(ConfigError, match="there is no column 'question'"):
        curate(spark, settings_for(lake, decontamination={"tables": [golden]}, **places))
    vectors = {"embeddings": {"column": "text"}, "duplicates": {"semantic": {"enabled": True}}}
    with pytest.raises(InputError, match="expected array<float>"):
        curate(spark, settings_for(lake, **vectors, **places))
    assert not (tmp_path / "tables").exists()
