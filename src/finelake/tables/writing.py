"""The only code that writes Delta tables. Every write can be repeated without doubling a row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

from finelake.errors import FinelakeError, OutputError
from finelake.tables.contracts import CONTRACTS
from finelake.tables.ddl import FEED, KEPT_PROPERTIES, commented, constraint_sql, create_sql, replace_sql
from finelake.tables.names import TableRef
from finelake.tables.reading import condition_of, latest_version, table_exists
from finelake.tables.tags import tag

logger = logging.getLogger(__name__)

_MADE_MEANWHILE = ("DELTA_PROTOCOL_CHANGED", "DELTA_METADATA_CHANGED")
"""What Delta says to one of two that write to a table while the other makes it."""
_ATTEMPTS = 5
_FULL_DISK = ("No space left on device", "Disk quota exceeded")
_FORBIDDEN = (
    "Permission denied",
    "Operation not permitted",
    "AccessDenied",
    "Mkdirs failed",
    "Read-only file system",
    "INSUFFICIENT_PERMISSIONS",
    "DELTA_CANNOT_CREATE_LOG_PATH",
)


def overwrite(frame: DataFrame, table: TableRef, *, run_id: str) -> int:
    """Replace a table's content in one commit and give the version written; older versions stay readable.

    One of finelake's own gets its comments, clustering keys and properties in the same commit.
    """
    if table.name in CONTRACTS:
        return _replace(frame, table, run_id=run_id)
    writer = (
        frame.write.format("delta")
        .mode("overwrite")
        .option("overwriteSchema", "true")
        .option("userMetadata", f"finelake run {run_id}")
    )
    with explained(table):
        _save(writer, table)
    return latest_version(frame.sparkSession, table)


def append_once(
    frame: DataFrame, table: TableRef, *, key: str, version: int = 1, new_columns: bool = False, feed: bool = False
) -> None:
    """Append rows; a second append under the same `key` is skipped by Delta (`txnAppId`, `txnVersion`).

    The rows of one key and version must never change: a retry with other rows would be skipped as well, and so would
    a version that is not above the last one of its key. With `new_columns` columns that the table lacks are added; with
    `feed` a table that this append makes keeps a change data feed.
    """
    spark = frame.sparkSession
    if table.name in CONTRACTS:
        _in_spite_of_makers(lambda: _ensure(spark, table), table)
    writer = frame.write.format("delta").mode("append").option("mergeSchema", str(new_columns).lower())
    writer = writer.option("txnAppId", f"finelake.{key}").option("txnVersion", version)
    if feed:
        writer = writer.option(FEED, "true")
    with explained(table):
        _in_spite_of_makers(lambda: _save(writer, table), table)


def _in_spite_of_makers(write: Callable[[], None], table: TableRef) -> None:
    """Do what may be done twice; again, up to four times, when another process made or altered the table meanwhile."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            write()
            return
        except Exception as error:  # Delta's own exceptions come through py4j as they are
            if condition_of(error) not in _MADE_MEANWHILE or attempt == _ATTEMPTS:
                raise
            logger.info("table %s was altered by another process meanwhile: writing again", table)


def _save(writer: DataFrameWriter, table: TableRef) -> None:
    writer.save(table.reference) if table.is_path else writer.saveAsTable(table.sql)


def _replace(frame: DataFrame, table: TableRef, *, run_id: str) -> int:
    spark = frame.sparkSession
    with explained(table):
        statement = replace_sql(table, run_id=run_id, kept=_kept(spark, table))
        spark.sql(statement, frame=commented(frame, table.name))
    version = latest_version(spark, table)
    if version == 0:
        tag(spark, table)
    return version


def _kept(spark: SparkSession, table: TableRef) -> dict[str, str]:
    """Read what stays when a table is written anew; nothing where there is no table."""
    try:
        # Read one by one, which asks: Connect analyses only then.
        rows = list(spark.sql(f"SHOW TBLPROPERTIES {table.sql}").toLocalIterator())
    except PySparkException:
        return {}
    return {row["key"]: row["value"] for row in rows if row["key"] in KEPT_PROPERTIES}


@lru_cache(maxsize=1024)
def _ensure(spark: SparkSession, table: TableRef) -> None:
    """Make a table where none is, once in a process: later appends ask nothing."""
    if table_exists(spark, table):
        return
    with explained(table):
        spark.sql(create_sql(table))
        for statement in constraint_sql(table):
            _add(spark, statement)
    tag(spark, table)


def _add(spark: SparkSession, constraint: str) -> None:
    try:
        spark.sql(constraint)
    except PySparkException as error:
        # Another process made the table at the same time.
        if condition_of(error) != "DELTA_CONSTRAINT_ALREADY_EXISTS":
            raise


def append(frame: DataFrame, table: TableRef, *, run_id: str) -> int:
    """Append rows in one commit and give how many; a second time appends them again."""
    note = f"finelake run {run_id}"
    writer = frame.write.format("delta").mode("append").option("userMetadata", note)
    with explained(table):
        _save(writer, table)
    history = frame.sparkSession.sql(f"DESCRIBE HISTORY {table.sql} LIMIT 1")
    written = history.select("userMetadata", "operationMetrics").first()
    # Delta may leave out a commit of no rows: the newest one is another's then.
    if written is None or written["userMetadata"] != note:
        return 0
    return int(written["operationMetrics"]["numOutputRows"])


def delete_matching(keys: DataFrame, table: TableRef, *, on: str) -> None:
    """Delete the rows of a table whose column `on` has a value that `keys` has too, in one commit."""
    merge = f"MERGE INTO {table.sql} AS t USING {{keys}} AS k ON t.`{on}` = k.`{on}` WHEN MATCHED THEN DELETE"
    with explained(table):
        keys.sparkSession.sql(merge, keys=keys)


def delete_where(spark: SparkSession, table: TableRef, condition: str) -> None:
    """Delete the rows for which a SQL condition holds, in one commit; Delta keeps the condition in its history."""
    with explained(table):
        spark.sql(f"DELETE FROM {table.sql} WHERE {condition}")


def purge(spark: SparkSession, table: TableRef) -> None:
    """Rewrite the files in which rows are only marked as deleted, so that none of the present version holds them."""
    with explained(table):
        spark.sql(f"REORG TABLE {table.sql} APPLY (PURGE)")


def vacuum(spark: SparkSession, table: TableRef) -> None:
    """Remove the files of versions that are older than the table's retention."""
    with explained(table):
        spark.sql(f"VACUUM {table.sql}")


@contextmanager
def explained(place: object) -> Iterator[None]:
    """Turn a full disk or a missing permission, from Spark or the file system, into an OutputError."""
    try:
        yield
    except FinelakeError:
        raise
    except Exception as error:
        text = str(error)
        if any(sign in text for sign in _FULL_DISK):
            message = f"No space left while writing {place}. Free space there and run the same again."
            raise OutputError(message) from None
        if any(sign in text for sign in _FORBIDDEN):
            raise OutputError(
                f"No permission to write {place}. Grant write access there or set another place in the configuration."
            ) from None
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            raise OutputError(
                f"{place} cannot be written ({reason}). Name a folder that is free or may be replaced."
            ) from None
        raise
