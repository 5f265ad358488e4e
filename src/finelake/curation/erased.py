"""Conversations that are erased while a curation runs: it ends, and what it left of them goes.

A request is recorded before `finelake erase` deletes anything. So a run that finds no new request after its last write
has left nothing that the erasure would not delete, and one that finds some ends: what it wrote may have come after the
deletion. Its files are removed then, with what no later run would take out of its tables.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.conversations.erased import subject_of
from finelake.curation.run import CurationRun
from finelake.embeddings.encode import content_of
from finelake.erasure.requests import Erasures, read_erasures
from finelake.errors import ErasedMeanwhileError
from finelake.publish import PublishedFile, withdraw
from finelake.tables import names
from finelake.tables.reading import read_table, table_exists
from finelake.tables.writing import delete_matching


def require_none_since(run: CurationRun, files: Mapping[str, PublishedFile] | None = None) -> None:
    """Look the requests up again. Raises ErasedMeanwhileError where some are new to the run.

    `files` are those it has published: they are removed first, and its manifest.
    """
    now = read_erasures(run.spark, run.table(names.ERASURES))
    if now.digest == run.erasures.digest:
        return
    withdraw(files or {}, folder=run.settings.output.path, run_id=run.run_id)
    forget(run, now)
    raise ErasedMeanwhileError(
        f"Conversations were erased while curation {run.run_id} ran, which had read them before: table "
        f"{run.table(names.ERASURES)} has requests that it did not begin with. It left no file. Run `finelake curate` "
        f"again, as a job does by itself: that goes on without them, and cleans the tables of this run."
    )


def forget(run: CurationRun, erasures: Erasures) -> None:
    """Delete pins and vectors of erased conversations, which a run may have written after they were deleted.

    All other tables are written anew, or brought to what they should be, by every run. Vectors have no id: they are
    known by the texts of the annotated table, as this run has written it or, before that, as it was found.
    """
    if erasures.subjects is None:
        return
    pins, annotated, vectors = (run.table(name) for name in (names.ASSIGNMENTS, names.ANNOTATED, names.EMBEDDINGS))
    if table_exists(run.spark, pins):
        theirs = _of(read_table(run.spark, pins), erasures.subjects)
        _delete(run, names.ASSIGNMENTS, theirs.select("conversation_id"))
    if table_exists(run.spark, annotated) and table_exists(run.spark, vectors):
        own = run.written.get(names.ANNOTATED, {}).get("version")
        theirs = _of(read_table(run.spark, annotated, version=own), erasures.subjects)
        stored = read_table(run.spark, vectors).select("content")
        contents = theirs.select(content_of(run.settings.embeddings).alias("content"))
        _delete(run, names.EMBEDDINGS, stored.join(F.broadcast(contents), on="content", how="left_semi"))


def _of(rows: DataFrame, subjects: DataFrame) -> DataFrame:
    named = rows.withColumn("subject", subject_of(F.col("conversation_id")))
    return named.join(F.broadcast(subjects), on="subject", how="left_semi")


def _delete(run: CurationRun, name: str, keys: DataFrame) -> None:
    found = run.keep(keys.dropna().distinct())
    if not found.isEmpty():
        delete_matching(found, run.table(name), on=found.columns[0])
