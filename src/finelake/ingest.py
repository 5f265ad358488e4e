"""From files to the raw Delta table: JSON lines (also gzip), Parquet or CSV.

Nothing is rejected here. A line that is not a JSON object, or that holds a lone surrogate escape, becomes a row
with its reason code in `_row_problem`, and curation takes it from there. Nested JSON values are kept as JSON text,
so that a table's schema does not depend on what some rows happen to hold.
"""

from __future__ import annotations

import glob
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.conversations.text import TEXT_INVALID_UNICODE
from finelake.errors import ConfigError, InputError
from finelake.rules.registry import Rule, register
from finelake.tables.names import ROW_PROBLEM, ROW_TEXT, SOURCE_FILE, TableRef
from finelake.tables.reading import latest_version, read_table, table_exists
from finelake.tables.writing import append_once

FileFormat = Literal["jsonl", "parquet", "csv"]

_ENDINGS: dict[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".json.gz": "jsonl",
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
}

ROW_NOT_JSON = register(
    Rule(
        code="row_not_json",
        step="ingest",
        action="quarantine",
        summary="A line of a JSONL file is not a JSON object; the row holds the line as text.",
    )
)

# A high surrogate escape without its low one, or a low one alone; `\\ud83d` (an escaped backslash) is neither.
_ESCAPED = r"(?<!\\)(?:\\\\)*"
_HIGH = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE = rf"{_ESCAPED}{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_ESCAPED}{_LOW}"


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one load did: rows now in the table, and whether these files had been loaded before."""

    table: TableRef
    version: int
    rows: int
    already_loaded: bool


def ingest(spark: SparkSession, files: str, table: TableRef, *, file_format: FileFormat | None = None) -> Ingested:
    """Append files (a path or glob) to a raw Delta table, once: the same files again change nothing.

    Columns: those of the files (nested JSON as text), `_row_problem` string, `_row_text` string (the line, only
    where it was not JSON), `_source_file` string. Raises InputError when there are no files, ConfigError when the
    format cannot be told.
    """
    chosen = file_format or _format_of(files)
    key = f"ingest.{table}.{_identity(spark, files)}"
    before = latest_version(spark, table) if table_exists(spark, table) else -1
    append_once(_read(spark, files, chosen), table, key=hashlib.sha256(key.encode()).hexdigest())
    after = latest_version(spark, table)
    return Ingested(table=table, version=after, rows=read_table(spark, table).count(), already_loaded=after == before)


def _format_of(files: str) -> FileFormat:
    for ending, file_format in _ENDINGS.items():
        if files.lower().endswith(ending):
            return file_format
    raise ConfigError(f"{files}: the file format cannot be told from the name. Give --format jsonl, parquet or csv.")


def _identity(spark: SparkSession, files: str) -> str:
    """Identify files by content where the driver can read them, else by path, size and time."""
    local = sorted(glob.glob(files)) if "://" not in files else []
    paths = [Path(path) for path in local]
    paths = [child for path in paths for child in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    paths = [path for path in paths if path.is_file() and not path.name.startswith(("_", "."))]
    if paths:
        return hashlib.sha256("".join(_digest(path) for path in paths).encode()).hexdigest()
    if "://" not in files:
        raise InputError(f"{files}: no such file. Give the path of a JSONL, Parquet or CSV file, folder or glob.")
    listing = spark.read.format("binaryFile").load(files).select("path", "length", "modificationTime")
    digest = listing.select(F.sha2(F.array_join(F.sort_array(F.collect_list(F.concat_ws("|", "*"))), ","), 256)).first()
    return str(digest[0]) if digest else ""


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(spark: SparkSession, files: str, file_format: FileFormat) -> DataFrame:
    if file_format == "jsonl":
        return _read_jsonl(spark, files)
    if file_format == "parquet":
        frame = spark.read.parquet(files)
    else:
        frame = spark.read.csv(files, header=True, multiLine=True, escape='"')
    nothing = F.lit(None).cast("string")
    return frame.select("*", nothing.alias(ROW_PROBLEM), nothing.alias(ROW_TEXT), _file_name().alias(SOURCE_FILE))


def _read_jsonl(spark: SparkSession, files: str) -> DataFrame:
    schema = _flat_schema(spark, files)
    lines = (
        spark.read.option("lineSep", "\n")
        .text(files)
        .select(F.rtrim(F.regexp_replace("value", "^\ufeff", "")).alias("line"), _file_name().alias(SOURCE_FILE))
        .where(F.length("line") > 0)
    )
    corrupt = T.StructType([*schema.fields, T.StructField(ROW_TEXT, T.StringType())])
    parsed = F.from_json("line", corrupt, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": ROW_TEXT})
    rows = lines.withColumn("parsed", parsed)
    return rows.select("parsed.*", _problem().alias(ROW_PROBLEM), SOURCE_FILE)


def _problem() -> Column:
    unreadable = F.col(f"parsed.{ROW_TEXT}").isNotNull() | F.col("parsed").isNull()
    return (
        F.when(unreadable, F.lit(ROW_NOT_JSON.code))
        .when(F.col("line").rlike(_LONE_SURROGATE), F.lit(TEXT_INVALID_UNICODE.code))
        .otherwise(F.lit(None).cast("string"))
    )


def _flat_schema(spark: SparkSession, files: str) -> T.StructType:
    inferred = spark.read.option("lineSep", "\n").option("columnNameOfCorruptRecord", ROW_TEXT).json(files).schema
    fields = [field for field in inferred.fields if field.name not in (ROW_TEXT, ROW_PROBLEM, SOURCE_FILE)]
    nested = (T.StructType, T.ArrayType, T.MapType)
    return T.StructType(
        [
            T.StructField(field.name, T.StringType() if isinstance(field.dataType, nested) else field.dataType)
            for field in fields
        ]
    )


def _file_name() -> Column:
    return F.col("_metadata.file_name")
