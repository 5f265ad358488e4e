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

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.conversations.text import TEXT_INVALID_UNICODE
from finelake.errors import ConfigError, InputError
from finelake.files import sha256_of
from finelake.rules.registry import Rule, register
from finelake.tables.names import ROW_PROBLEM, ROW_TEXT, SOURCE_FILE, TableRef
from finelake.tables.reading import condition_of, latest_version, read_table, table_exists
from finelake.tables.writing import append_once

_NESTED = (T.ArrayType, T.StructType, T.MapType)

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
    """Append files (a path or glob) to a raw Delta table, each once: the same content again changes nothing.

    One commit a file, or a folder; a table that is made here keeps a change data feed, which increments go by. Columns:
    those of the files (nested JSON as text), `_row_problem` string, `_row_text` string (the line, only where it was
    not JSON), `_source_file` string. A column that the table lacks is added to it; one of another type is cast where
    no value is lost. Raises InputError when there are no files or they do not fit the table, ConfigError when the
    format cannot be told.
    """
    chosen = file_format or _format_of(files)
    before = latest_version(spark, table) if table_exists(spark, table) else -1
    known = before >= 0
    for place, identity in _identities(spark, files):
        key = hashlib.sha256(f"ingest.{table}.{identity}".encode()).hexdigest()
        frame = _readable(spark, place, chosen)
        try:
            frame = fitted(frame, read_table(spark, table), place=place) if known else frame
            append_once(frame, table, key=key, new_columns=True, feed=True)
        except AnalysisException as error:
            raise _unfit(place, table, error) from None
        known = True
    after = latest_version(spark, table)
    return Ingested(table=table, version=after, rows=read_table(spark, table).count(), already_loaded=after == before)


def _unfit(place: str, table: TableRef, error: AnalysisException) -> InputError:
    return InputError(
        f"{place} cannot be loaded into table {table} ({condition_of(error)}). Expected columns whose names hold no "
        f"space and none of ,;{{}}()=. Mend the file, or load it into another table."
    )


def fitted(frame: DataFrame, table: DataFrame, *, place: str) -> DataFrame:
    """Cast a frame's columns to the types of the table's. Raises InputError that names those that would lose a value.

    Runs one job over columns of another type, none where all types agree.
    """
    wanted = {field.name: field.dataType for field in table.schema.fields}
    found = {field.name: field.dataType for field in frame.schema.fields}
    other = {name: wanted[name] for name, kind in found.items() if name in wanted and kind != wanted[name]}
    if not other:
        return frame
    nested = {name for name in other if isinstance(found[name], _NESTED) or isinstance(wanted[name], _NESTED)}
    cast = {name: F.col(f"`{name}`").try_cast(kind) for name, kind in other.items() if name not in nested}
    lost = [F.count_if(_lost(F.col(f"`{name}`"), value, found[name], other[name])) for name, value in cast.items()]
    lost = [count.alias(name) for count, name in zip(lost, cast, strict=True)]
    counts = frame.agg(*lost).first() if lost else None
    bad = sorted(nested | {name for name in cast if counts and counts[name]})
    if bad:
        listed = "; ".join(f"{name} is {found[name].simpleString()}, not {wanted[name].simpleString()}" for name in bad)
        raise InputError(f"{place} does not fit the table: {listed}. Mend the file, or load it into another table.")
    return frame.withColumns(cast)


def _lost(value: Column, cast: Column, found: T.DataType, wanted: T.DataType) -> Column:
    """Say whether a cast loses something: a text that is no number, digits behind the point, leading zeros."""
    changed = cast.isNull()
    if isinstance(wanted, (T.IntegralType, T.BooleanType, T.StringType)):
        changed = changed | ~cast.try_cast(found).eqNullSafe(value)
    return value.isNotNull() & changed


def _format_of(files: str) -> FileFormat:
    for ending, file_format in _ENDINGS.items():
        if files.lower().endswith(ending):
            return file_format
    raise ConfigError(f"{files}: the file format cannot be told from the name. Give --format jsonl, parquet or csv.")


def _identities(spark: SparkSession, files: str) -> list[tuple[str, str]]:
    """List (file or folder, identity): by content where the driver can read it, else by path, size and time."""
    local = [Path(path) for path in sorted(glob.glob(files))] if "://" not in files else []
    found = [(str(path), "".join(sha256_of(file) for file in _files_of(path))) for path in local]
    found = [(place, digests) for place, digests in found if digests]
    if found and not any(file.stat().st_size for path in local for file in _files_of(path)):
        raise InputError(f"{files} holds nothing: 0 bytes. Give files with rows.")
    if found:
        return found
    if "://" not in files:
        raise InputError(f"{files}: no such file. Give the path of a JSONL, Parquet or CSV file, folder or glob.")
    return [(files, _listed(spark, files))]


def _files_of(path: Path) -> list[Path]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in files if file.is_file() and not file.name.startswith(("_", "."))]


def _listed(spark: SparkSession, files: str) -> str:
    listing = spark.read.format("binaryFile").load(files).select("path", "length", "modificationTime")
    digest = listing.select(F.sha2(F.array_join(F.sort_array(F.collect_list(F.concat_ws("|", "*"))), ","), 256)).first()
    return str(digest[0]) if digest else ""


def _readable(spark: SparkSession, place: str, file_format: FileFormat) -> DataFrame:
    # Spark's server may have been started in another folder than this process.
    whole = place if "://" in place else str(Path(place).absolute())
    try:
        frame = _read(spark, whole, file_format)
        _ = frame.schema  # Connect looks at the files no earlier
    except Exception as error:
        condition = condition_of(error)
        if condition is None:
            raise
        raise InputError(
            f"{place} cannot be read as {file_format} ({condition}). Give files of one format that are whole, whose "
            f"columns differ by more than letter case."
        ) from None
    return frame


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
    without_mark = F.ltrim(F.make_valid_utf8("value"), F.lit("\ufeff"))
    lines = (
        spark.read.option("lineSep", "\n")
        .text(files)
        .select(
            F.rtrim(without_mark, F.lit(" \t\r")).alias("line"),
            F.is_valid_utf8("value").alias("valid"),
            _file_name().alias(SOURCE_FILE),
        )
        .where(F.length("line") > 0)
    )
    if files.endswith(".gz"):
        # A gzip file is one task; its lines are spread before they are parsed, and the table gets several files.
        lines = lines.repartition("line")
    corrupt = T.StructType([*schema.fields, T.StructField(ROW_TEXT, T.StringType())])
    parsed = F.from_json("line", corrupt, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": ROW_TEXT})
    rows = lines.withColumn("parsed", parsed)
    return rows.select("parsed.*", _problem().alias(ROW_PROBLEM), SOURCE_FILE)


def _problem() -> Column:
    unreadable = F.col(f"parsed.{ROW_TEXT}").isNotNull() | F.col("parsed").isNull()
    return (
        F.when(unreadable, F.lit(ROW_NOT_JSON.code))
        .when(~F.col("valid") | _lone_surrogate(F.col("line")), F.lit(TEXT_INVALID_UNICODE.code))
        .otherwise(F.lit(None).cast("string"))
    )


def _lone_surrogate(line: Column) -> Column:
    """Look closely only where an escape of that range stands at all: the pattern is slow, the search is not."""
    escaped = line.contains("\\ud") | line.contains("\\uD")
    return escaped & line.rlike(_LONE_SURROGATE)


def _flat_schema(spark: SparkSession, files: str) -> T.StructType:
    inferred = spark.read.option("lineSep", "\n").option("columnNameOfCorruptRecord", ROW_TEXT).json(files).schema
    fields = [field for field in inferred.fields if field.name not in (ROW_TEXT, ROW_PROBLEM, SOURCE_FILE)]
    return T.StructType(
        [
            T.StructField(field.name, T.StringType() if isinstance(field.dataType, _NESTED) else field.dataType)
            for field in fields
        ]
    )


def _file_name() -> Column:
    return F.col("_metadata.file_name")
