"""The table of erasure requests: what was asked for, and what was done. It holds hashes of ids, no id.

One append-only Delta table, a row a conversation and entry: request (hash of what was asked, 16 hex digits), subject
(SHA-256 of the conversation id), reference (the caller's own, such as a ticket's number), entry (`requested` or
`done`), payload (JSON: whether raw rows are to go, then what was deleted where), recorded_at. A subject stays in it:
whatever comes later under the same id is not used either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.tables.contracts import checked
from finelake.tables.local import local_frame
from finelake.tables.names import ERASURES, TableRef
from finelake.tables.reading import read_table, table_exists
from finelake.tables.writing import append_once

REQUESTED, DONE = "requested", "done"

MOST_UNFINISHED = 100
"""Requests that were cut off and are carried out by one call."""

_SCHEMA = "request string, subject string, reference string, entry string, payload string, recorded_at timestamp"


@dataclass(frozen=True, slots=True)
class Request:
    """Conversations to erase, as hashes of their ids in order, the caller's reference, whether raw rows go too."""

    subjects: tuple[str, ...]
    reference: str | None
    raw: bool = False

    @property
    def id(self) -> str:
        """Name the request: 16 hex digits, the same for the same request."""
        text = json.dumps([self.subjects, self.reference, *([self.raw] if self.raw else [])])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def request_for(conversation_ids: Iterable[str], *, reference: str | None, raw: bool = False) -> Request:
    """Make a request of conversation ids."""
    hashes = {hashlib.sha256(each.encode()).hexdigest() for each in conversation_ids}
    return Request(tuple(sorted(hashes)), reference, raw)


def record(
    spark: SparkSession, table: TableRef, request: Request, entry: str, payload: Mapping[str, Any] | None = None
) -> None:
    """Append an entry of a request; a second time changes nothing."""
    now, text = datetime.now(UTC), json.dumps(payload or {}, sort_keys=True)
    rows = [(request.id, subject, request.reference, entry, text, now) for subject in request.subjects]
    frame = checked(local_frame(spark, rows, schema=_SCHEMA), ERASURES)
    append_once(frame, table, key=f"erasure.{request.id}.{entry}")


def unfinished(spark: SparkSession, table: TableRef) -> list[Request]:
    """List the requests that were recorded and not carried out to the end, the oldest first."""
    if not table_exists(spark, table):
        return []
    entries = checked(read_table(spark, table), ERASURES)
    done = entries.where(F.col("entry") == DONE).select("request").distinct()
    open_ones = entries.where(F.col("entry") == REQUESTED).join(done, on="request", how="left_anti")
    requests = open_ones.groupBy("request", "reference", "payload").agg(
        F.array_sort(F.collect_set("subject")).alias("subjects"), F.min("recorded_at").alias("at")
    )
    return [
        Request(tuple(row["subjects"]), row["reference"], bool(json.loads(row["payload"]).get("raw")))
        for row in requests.orderBy("at", "request").limit(MOST_UNFINISHED).collect()
    ]


@dataclass(frozen=True, slots=True)
class Erasures:
    """All that was ever erased: subjects (column subject, one row each), and a digest of them; None without any."""

    subjects: DataFrame | None = None
    digest: str | None = None


def read_erasures(spark: SparkSession, table: TableRef) -> Erasures:
    """Read what was asked for so far. Runs one small job where there is such a table."""
    if not table_exists(spark, table):
        return Erasures()
    asked = checked(read_table(spark, table), ERASURES).where(F.col("entry") == REQUESTED)
    subjects = asked.select("subject").distinct()
    row = subjects.agg(F.count(F.lit(1)).alias("count"), F.bit_xor(F.xxhash64("subject")).alias("hash")).first()
    if row is None or not row["count"]:
        return Erasures()
    return Erasures(subjects, f"{row['count']}-{row['hash'] & (2**64 - 1):016x}")
