"""Removing what Delta tables keep of deleted rows: the files of versions older than each table's retention."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.erasure.places import HOLDERS
from finelake.tables import names
from finelake.tables.changes import identify
from finelake.tables.names import source_ref, table_ref
from finelake.tables.reading import table_exists
from finelake.tables.writing import purge
from finelake.tables.writing import vacuum as vacuum_table

DEFAULT_RETENTION = "interval 1 week"
"""`delta.deletedFileRetentionDuration` where a table does not set it (docs.delta.io, table properties)."""


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """A table, and how long it keeps deleted rows (an interval as Delta writes it)."""

    table: str
    retention: str


def vacuum(spark: SparkSession, settings: Settings, *, raw: bool = False) -> list[Vacuumed]:
    """Remove old files from every table that holds conversations, and with `raw` from the source table.

    Each table's own retention holds; versions older than it can be read no more, so that runs of before cannot be
    reproduced. A table with deletion vectors is rewritten where rows are only marked as deleted: VACUUM alone would
    keep their files for good.
    """
    tables = [table_ref(settings.tables, name) for name in (*HOLDERS, names.ANSWERS, names.EMBEDDINGS, names.GRAPH)]
    tables += [source_ref(settings.source.table)] if raw else []
    done = []
    for table in tables:
        if table_exists(spark, table):
            about = identify(spark, table)
            if about.deletion_vectors:
                purge(spark, table)
            vacuum_table(spark, table)
            kept = about.properties.get("delta.deletedFileRetentionDuration", DEFAULT_RETENTION)
            done.append(Vacuumed(str(table), kept))
    return done
