"""Files into the raw table: formats, broken lines, the same files again, and files that do not fit."""

from __future__ import annotations

import codecs
import csv
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from finelake.errors import ConfigError, InputError
from finelake.ingest import ingest
from finelake.tables.names import TableRef
from finelake.tables.reading import read_table

pytestmark = pytest.mark.spark


def write(path: Path, *lines: str, end: str = "\n", head: bytes = b"") -> str:
    path.write_bytes(head + end.join([*lines, ""]).encode())
    return str(path)


def loaded(spark: SparkSession, table: TableRef) -> list[Row]:
    return read_table(spark, table).orderBy("n", "_row_text").collect()


def lines_of(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) for row in rows]


def test_lines_of_every_kind(spark: SparkSession, tmp_path: Path) -> None:
    files = [
        '{"n": 1, "text": "plain", "calls": [{"name": "f", "arguments": {"b": 1, "a": "\\u00e9"}}]}',
        '{"n": 2, "text": "caf\u00e9 \\ud83d\\ude00", "calls": null}',
        '{"n": 3, "text": "half \\ud83d"}',
        '{"n": 4, "text": "an escaped \\\\ud83d is plain text"}',
        '{"n": 5, "text": "other half \\udc00", "late": {"x": [1, 2]}}',
        "",
        "   ",
        '{"n": 6, "text": "ends in blanks"}   ',
        '{"n": 7, "text": "cut o',
        "[1, 2]",
        "plain words",
    ]
    table = TableRef(str(tmp_path / "raw"))
    done = ingest(spark, write(tmp_path / "a.jsonl", *files, end="\r\n", head=codecs.BOM_UTF8), table)
    rows = loaded(spark, table)
    assert done.rows == len(rows) == 9
    by_number = {row["n"]: row for row in rows if row["n"] is not None}
    assert sorted(by_number) == [1, 2, 3, 4, 5, 6]
    assert json.loads(by_number[1]["calls"]) == [{"name": "f", "arguments": {"b": 1, "a": "\u00e9"}}]
    assert by_number[2]["text"] == "caf\u00e9 \U0001f600"
    assert json.loads(by_number[5]["late"]) == {"x": [1, 2]}
    assert by_number[1]["late"] is None
    problems = {row["n"]: row["_row_problem"] for row in rows if row["n"] is not None}
    assert problems == {1: None, 2: None, 3: "text_invalid_unicode", 4: None, 5: "text_invalid_unicode", 6: None}
    broken = [row for row in rows if row["n"] is None]
    assert {row["_row_problem"] for row in broken} == {"row_not_json"}
    assert {row["_row_text"] for row in broken} == {'{"n": 7, "text": "cut o', "[1, 2]", "plain words"}
    assert {row["_source_file"] for row in rows} == {"a.jsonl"}


def test_bytes_that_are_not_utf8_are_named(spark: SparkSession, tmp_path: Path) -> None:
    path, table = tmp_path / "a.jsonl", TableRef(str(tmp_path / "raw"))
    path.write_bytes(b'{"n": 1, "text": "caf\xe9"}\n{"n": 2, "text": "caf\xc3\xa9"}\n')
    ingest(spark, str(path), table)
    assert [row["_row_problem"] for row in loaded(spark, table)] == ["text_invalid_unicode", None]


def test_the_same_content_is_loaded_once_and_new_files_are_added(spark: SparkSession, tmp_path: Path) -> None:
    table = TableRef(str(tmp_path / "raw"))
    first = write(tmp_path / "day1.jsonl", *lines_of({"n": n, "text": f"t{n}"} for n in range(3)))
    assert ingest(spark, first, table).already_loaded is False
    again = ingest(spark, first, table)
    assert (again.already_loaded, again.rows, again.version) == (True, 3, 0)
    with gzip.open(tmp_path / "day2.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines_of({"n": n, "text": f"t{n}", "new": True} for n in range(3, 5)))
    both = ingest(spark, str(tmp_path / "day*"), table, file_format="jsonl")
    assert (both.already_loaded, both.rows) == (False, 5)
    found = [(row["n"], row["new"]) for row in loaded(spark, table)]
    assert found == [(0, None), (1, None), (2, None), (3, True), (4, True)]


def test_a_second_file_of_other_types_is_cast_or_refused(spark: SparkSession, tmp_path: Path) -> None:
    table = TableRef(str(tmp_path / "raw"))
    ingest(spark, write(tmp_path / "a.jsonl", '{"n": 1, "id": "001", "at": null}'), table)
    ingest(spark, write(tmp_path / "b.jsonl", '{"n": "2", "id": 17}', '{"n": null, "id": 18}'), table)
    assert {(row["n"], row["id"]) for row in loaded(spark, table)} == {(1, "001"), (2, "17"), (None, "18")}
    before = read_table(spark, table).count()
    message = r"does not fit the table: n is (string|double), not bigint\. Mend the file"
    for n, value in enumerate(('"seven"', "2.5", '"007"')):
        with pytest.raises(InputError, match=message):
            ingest(spark, write(tmp_path / f"c{n}.jsonl", f'{{"n": {value}, "id": "x"}}'), table)
    assert read_table(spark, table).count() == before


def test_csv_with_quotes_and_newlines(spark: SparkSession, tmp_path: Path) -> None:
    path, table = tmp_path / "a.csv", TableRef(str(tmp_path / "raw"))
    texts = ['She said "hello", twice', "two\nlines", "a, comma", "\u5317\u4eac", "back\\slash", ""]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["n", "text"])
        writer.writerows([n, text] for n, text in enumerate(texts))
    ingest(spark, str(path), table)
    rows = loaded(spark, table)
    assert [row["n"] for row in rows] == [str(n) for n in range(len(texts))]
    assert [row["text"] or "" for row in rows] == texts
    assert {row["_row_problem"] for row in rows} == {None}


def test_parquet_keeps_its_types(spark: SparkSession, tmp_path: Path) -> None:
    table = TableRef(str(tmp_path / "raw"))
    calls = "array<struct<name: string>>"
    frame = spark.createDataFrame([(1, "a", [{"name": "f"}]), (2, "b", None)], f"n int, text string, calls {calls}")
    frame.write.parquet(str(tmp_path / "turns.parquet"))
    done = ingest(spark, str(tmp_path / "turns.parquet"), table)
    assert done.rows == 2
    assert dict(read_table(spark, table).dtypes)["calls"] == "array<struct<name:string>>"
    assert ingest(spark, str(tmp_path / "turns.parquet"), table).already_loaded


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("none.jsonl", None, InputError, r"none\.jsonl: no such file\. Give the path"),
        ("turns.xlsx", "x", ConfigError, r"format cannot be told from the name\. Give --format"),
        ("void.jsonl", "", InputError, r"holds nothing: 0 bytes"),
        ("a.csv", "Conversation ID,text\nc1,hello\n", InputError, r"cannot be loaded into table .*hold no space"),
        ("a.parquet", "this is no Parquet file", InputError, r"a\.parquet cannot be read as parquet"),
    ],
)
def test_files_that_cannot_be_loaded(
    spark: SparkSession, tmp_path: Path, name: str, content: str | None, error: type[Exception], message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(error, match=message):
        ingest(spark, str(tmp_path / name), TableRef(str(tmp_path / "raw")))
    assert not (tmp_path / "raw").exists()
