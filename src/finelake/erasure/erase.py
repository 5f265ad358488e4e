"""Erasing conversations on request. Every part can be done again, and the next call finishes what one left undone.

First the request is recorded, so that nothing made from then on holds the conversations; then rows and files go; then
the table is curated without them; last it is recorded what was done. A request without that last record was cut off.
Which conversations it meant is known by its record alone, for the rows that told whose they are may be gone. Older
versions of Delta tables hold deleted rows until VACUUM removes them (see `erasure.vacuum`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.conversations.erased import subject_of
from finelake.curate import Curation, curate
from finelake.curation.progress import Increment, last_progress, record_progress
from finelake.curation.run import CurationObserver
from finelake.embeddings.encode import content_of
from finelake.erasure.files import remove_files
from finelake.erasure.places import ANSWER_KEYS, HOLDERS, IN_TEXT, naming
from finelake.erasure.requests import DONE, REQUESTED, Request, record, request_for, unfinished
from finelake.erasure.trained import TrainedOn, trained_on
from finelake.erasure.wanted import wanted
from finelake.errors import ConfigError
from finelake.tables import names
from finelake.tables.changes import identify, same_rows_since
from finelake.tables.names import TableRef, source_ref, table_ref
from finelake.tables.reading import latest_version, read_table, table_exists
from finelake.tables.writing import delete_matching, delete_where

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What a request came to: rows deleted by table, files removed, models that had seen it, the curation since."""

    request: str
    conversations: int
    rows: dict[str, int]
    files: list[str]
    models: list[TrainedOn]
    curation: Curation

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        models = [asdict(model) for model in self.models]
        about = {"request": self.request, "conversations": self.conversations, "rows": self.rows, "files": self.files}
        return about | {"models": models, "curation": self.curation.run_id}


def erase(
    spark: SparkSession,
    settings: Settings,
    *,
    conversations: Sequence[str] = (),
    users: Sequence[str] = (),
    requests: str | None = None,
    reference: str | None = None,
    raw: bool = False,
    observer: CurationObserver | None = None,
) -> list[Erasure]:
    """Erase what is meant (see `erasure.wanted`) and what earlier calls did not finish, then curate without it.

    With `raw` the rows of the source table are deleted too; without it they may stay there and are no longer used.
    Gives what each request came to, nothing where all of it was erased before. Raises what `wanted` raises, ConfigError
    for `raw` where no column of the source table names conversations, and what `curate` raises: the rows and files are
    gone then all the same.
    """
    if raw:
        _check_raw(spark, settings)
    place = table_ref(settings.tables, names.ERASURES)
    asked = unfinished(spark, place)
    ids = wanted(
        spark, settings, conversations=conversations, users=users, requests=requests, users_may_be_gone=bool(asked)
    )
    own = request_for(ids, reference=reference, raw=raw)
    if ids and own.id not in {request.id for request in asked}:
        record(spark, place, own, REQUESTED, {"raw": raw})
        asked.append(own)
    if not asked:
        return []
    # All rows go before anything is curated: a curation that fails leaves no request undone but for its last record.
    removed = [_remove(spark, settings, request) for request in asked]
    curation = curate(spark, settings, observer=observer)
    done = [Erasure(curation=curation, **of_request) for of_request in removed]
    for request, one in zip(asked, done, strict=True):
        record(spark, place, request, DONE, one.as_dict())
        logger.info(
            "erasure request=%s conversations=%d rows=%d", one.request, one.conversations, sum(one.rows.values())
        )
    return done


def _check_raw(spark: SparkSession, settings: Settings) -> None:
    column, source = settings.source.columns.conversation_id, source_ref(settings.source.table)
    if column not in read_table(spark, source).columns:
        raise ConfigError(
            f"Table {source} has no column {column}, so its rows cannot be found by conversations' ids. Delete them "
            f"there yourself, and erase without raw."
        )


def _remove(spark: SparkSession, settings: Settings, request: Request) -> dict[str, Any]:
    """Delete the rows and files of a request's conversations; gives the fields of Erasure but the curation."""
    models = trained_on(spark, settings, request.subjects)
    rows = _delete_rows(spark, settings, request)
    if request.raw:
        column = settings.source.columns.conversation_id
        named = naming(request.subjects, columns=(column,))
        rows["source"] = _delete(spark, source_ref(settings.source.table), named)
    files = remove_files(settings)
    about = {"request": request.id, "conversations": len(request.subjects)}
    return about | {"rows": rows, "files": files, "models": models}


def _delete_rows(spark: SparkSession, settings: Settings, request: Request) -> dict[str, int]:
    tables = {name: table_ref(settings.tables, name) for name in (*HOLDERS, names.ANSWERS, names.EMBEDDINGS)}
    there = {name: table for name, table in tables.items() if table_exists(spark, table)}
    rows: dict[str, int] = {}
    if names.ANNOTATED in there and names.EMBEDDINGS in there:
        rows[names.EMBEDDINGS] = _delete_vectors(spark, settings, there, request)
    if names.SCORES in there and names.ANSWERS in there:
        rows[names.ANSWERS] = _delete_answers(spark, there, request)
    for name in HOLDERS:
        if name == names.ANNOTATED and name in there:
            rows[name] = _delete_annotated(spark, settings, there[name], request)
        elif name in there:
            named = naming(request.subjects, columns=HOLDERS[name], texts=IN_TEXT.get(name))
            rows[name] = _delete(spark, there[name], named)
    return rows


def _delete(spark: SparkSession, table: TableRef, condition: str) -> int:
    """Delete the rows for which a condition (see `places.naming`) holds; gives how many there were."""
    count = read_table(spark, table).where(condition).count()
    if count:
        delete_where(spark, table, condition)
    return count


def _delete_annotated(spark: SparkSession, settings: Settings, table: TableRef, request: Request) -> int:
    """Delete annotated conversations, so that the next curation can still go on from the others."""
    increments = table_ref(settings.tables, names.INCREMENTS)
    before = last_progress(spark, increments, annotated_id=identify(spark, table).id)
    known = before is not None and same_rows_since(spark, table, before.annotated_version)
    count = _delete(spark, table, naming(request.subjects, columns=HOLDERS[names.ANNOTATED]))
    if before is not None and known and count:
        now = replace(before, annotated_version=latest_version(spark, table))
        increment = Increment(way="erase", why=f"erasure {request.id}", rebuilt=0, gone=count)
        record_progress(spark, increments, now, increment=increment, run_id=f"erasure-{request.id}")
    return count


def _delete_answers(spark: SparkSession, tables: dict[str, TableRef], request: Request) -> int:
    """Delete the answers that were given to questions from the conversations; scores name them by their keys."""
    scores = read_table(spark, tables[names.SCORES])
    named = scores.where(subject_of(F.col("conversation_id")).isin(*request.subjects))
    keys = named.select(F.explode(F.array(*ANSWER_KEYS)).alias("key"))
    return _delete_keyed(spark, tables[names.ANSWERS], keys)


def _delete_vectors(spark: SparkSession, settings: Settings, tables: dict[str, TableRef], request: Request) -> int:
    """Delete the vectors of the conversations' texts; the next run embeds a text anew that others have too."""
    annotated = read_table(spark, tables[names.ANNOTATED])
    theirs = annotated.where(subject_of(F.col("conversation_id")).isin(*request.subjects))
    contents = theirs.select(content_of(settings.embeddings).alias("content"))
    return _delete_keyed(spark, tables[names.EMBEDDINGS], contents)


def _delete_keyed(spark: SparkSession, table: TableRef, keys: DataFrame) -> int:
    """Delete the rows whose key is among some; gives how many there were."""
    column, wanted = keys.columns[0], keys.dropna().distinct()
    count = read_table(spark, table).join(F.broadcast(wanted), on=column, how="left_semi").count()
    if count:
        delete_matching(wanted, table, on=column)
    return count
