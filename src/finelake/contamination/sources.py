"""Evaluation data as frames of text: the user's tables and files, and the project's own held-out splits."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.config.settings import Decontamination, EvaluationTable
from finelake.errors import ConfigError, InputError
from finelake.files import sha256_of
from finelake.tables.local import local_frame
from finelake.tables.names import source_ref
from finelake.tables.reading import latest_version, read_table

MESSAGES = "array<struct<role: string, content: string>>"
_MESSAGE = T.StructType([T.StructField("role", T.StringType()), T.StructField("content", T.StringType())])
_LINE = T.StructType([T.StructField("messages", T.ArrayType(_MESSAGE))])


def identity_of(spark: SparkSession, table: EvaluationTable) -> str:
    """Say which content is compared: the version of a Delta table, the SHA-256 of a file.

    Raises InputError where there is none.
    """
    if table.file is not None:
        if not Path(table.file).is_file():
            raise InputError(f"decontamination.tables {table.name}: there is no file {table.file}. Correct file:.")
        return sha256_of(Path(table.file))
    version = table.version if table.version is not None else latest_version(spark, source_ref(table.table or ""))
    return f"version {version}"


def evaluation_texts(spark: SparkSession, table: EvaluationTable, *, identity: str) -> DataFrame:
    """Read an evaluation table as it was at `identity`: columns source, row_id, messages (role, content).

    Raises ConfigError where a named column is missing, InputError where the table cannot be read.
    """
    if table.file is not None:
        frame = _read_file(spark, table)
    else:
        version = int(identity.removeprefix("version "))
        frame = read_table(spark, source_ref(table.table or ""), version=version)
    for column in (table.id, table.prompt, table.answer, table.messages):
        if column is not None and column not in frame.columns:
            raise ConfigError(
                f"decontamination.tables {table.name}: there is no column {column!r}; found are "
                f"{', '.join(sorted(frame.columns))}. Correct the names of its columns."
            )
    messages = frame.withColumn("_messages", _messages(frame, table))
    text = F.to_json("_messages")
    row_id = F.col(f"`{table.id}`").cast("string") if table.id else F.substring(F.sha2(text, 256), 1, 16)
    return messages.select(
        F.lit(table.name).alias("source"), row_id.alias("row_id"), F.col("_messages").alias("messages")
    )


def check_evaluation(spark: SparkSession, config: Decontamination, *, identities: dict[str, str]) -> None:
    """Check the columns of every evaluation table, which is long before their rows are needed.

    Raises what `evaluation_texts` does, and Spark's own errors on Connect too, where a frame is analysed when asked.
    """
    for table in config.tables:
        _ = evaluation_texts(spark, table, identity=identities[table.name]).schema


def held_out_texts(placed: DataFrame) -> DataFrame:
    """Select the text of the validation and test splits: columns source (the split), row_id (conversation), messages.

    Needs columns conversation_id, split, windows.
    """
    lines = F.transform("windows", lambda window: F.from_json(window["line"], _LINE)["messages"])
    return placed.where(F.col("split") != "train").select(
        F.col("split").alias("source"), F.col("conversation_id").alias("row_id"), F.flatten(lines).alias("messages")
    )


def training_texts(placed: DataFrame) -> DataFrame:
    """Select the text of the training split: columns conversation_id, window (int), messages."""
    windows = placed.where(F.col("split") == "train").select(
        "conversation_id", F.posexplode("windows").alias("window", "of")
    )
    return windows.select("conversation_id", "window", F.from_json("of.line", _LINE)["messages"].alias("messages"))


def fingerprint_of(identities: dict[str, str]) -> str:
    """Give a short hash of what is compared."""
    text = "\n".join(f"{name}={identity}" for name, identity in sorted(identities.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read_file(spark: SparkSession, table: EvaluationTable) -> DataFrame:
    """Read a JSONL file; a byte order mark and lines that are not JSON objects are left out."""
    texts = [name for name in (table.id, table.prompt, table.answer) if name is not None]
    fields = [T.StructField(name, T.StringType()) for name in dict.fromkeys(texts)]
    if table.messages is not None:
        fields.append(T.StructField(table.messages, T.ArrayType(_MESSAGE)))
    lines = local_frame(spark, _lines(Path(table.file or "")))
    parsed = F.from_json(F.ltrim("value", F.lit("\ufeff")), T.StructType(fields))
    return lines.select(parsed.alias("parsed")).where(F.col("parsed").isNotNull()).select("parsed.*")


def _lines(path: Path) -> pa.Table:
    """Read a file of the driver's, which no worker of a cluster may see: column value (string), one row a line."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        texts = [line.removesuffix(b"\n").decode("utf-8", "replace") for line in stream]
    return pa.table({"value": pa.array(texts, pa.string())})


def _messages(frame: DataFrame, table: EvaluationTable) -> Column:
    if table.messages is not None:
        given = F.col(f"`{table.messages}`")
        if isinstance(frame.schema[table.messages].dataType, T.StringType):
            return F.from_json(given, T.ArrayType(_MESSAGE))
        return F.transform(given, lambda item: _message(item["role"], item["content"]))
    texts = [("user", table.prompt), ("assistant", table.answer)]
    return F.array(*(_message(F.lit(role), F.col(f"`{name}`")) for role, name in texts if name is not None))


def _message(role: Column, content: Column) -> Column:
    return F.struct(role.cast("string").alias("role"), content.cast("string").alias("content"))
