"""Annotated conversations, made by passing only those through Python whose rows, or canned replies, changed.

The result is the same as that of a full pass. What cannot be told to be so is done in full: other settings or code,
a table that others wrote to, more than half of the conversations.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.annotate.one_pass import annotate
from finelake.annotate.plan import PassPlan
from finelake.conversations.assemble import assemble, whole_rows
from finelake.conversations.erased import subject_of
from finelake.conversations.fingerprint import fingerprints
from finelake.conversations.mapping import map_rows, mapped_types
from finelake.curation.identity import recipe_of
from finelake.curation.progress import Basis, Increment, Progress, last_progress, record_progress
from finelake.curation.run import CurationRun
from finelake.errors import InputError
from finelake.lineage.code import code_version
from finelake.replies.canned import conversations_with
from finelake.tables import names
from finelake.tables.changes import Identity, changed_rows, identify, same_rows_since
from finelake.tables.contracts import checked
from finelake.tables.local import local_frame
from finelake.tables.reading import condition_of, latest_version, read_table, table_exists
from finelake.tables.writing import append, delete_matching

logger = logging.getLogger(__name__)

_MOST_REBUILT = 0.5
"""The share of conversations above which rewriting all of them costs less than replacing some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The raw table of a run at its version (`raw`), mapped, and how its conversations are annotated."""

    raw: DataFrame
    mapped: DataFrame
    plan: PassPlan
    tools: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Stale:
    """Ids of conversations to make anew or to take out (column conversation_id), how they were found, how many."""

    ids: DataFrame
    way: str
    count: int


def annotated_conversations(run: CurationRun, rows: Rows) -> DataFrame:
    """Bring the annotated table to the run's version of the raw table, and read it.

    Raises InputError where a mapped column has another type than in the run before and the settings refuse that.
    """
    source = identify(run.spark, run.source)
    basis = Basis(
        source_id=source.id,
        source_version=run.version,
        recipe=recipe_of(run.settings, run.catalogue, rows.tools, code=code_version()["fingerprint"]),
        columns=mapped_types(rows.raw, run.settings.source),
        canned=rows.plan.replies.canned,
    )
    before, why = _usable(run, basis)
    stale = None if before is None else _stale(run, rows, before, basis, source)
    if before is None or stale is None:
        return _in_full(run, rows, basis, why=why or "more than half of the conversations changed")
    return _in_part(run, rows, basis, before, stale)


def _usable(run: CurationRun, basis: Basis) -> tuple[Progress | None, str]:
    """Find what the run before left, or say why it does not serve."""
    table = run.table(names.ANNOTATED)
    if run.settings.increments.mode == "off":
        return None, "increments.mode is off"
    if not table_exists(run.spark, table):
        return None, "first run"
    before = last_progress(run.spark, run.table(names.INCREMENTS), annotated_id=identify(run.spark, table).id)
    if before is None:
        return None, "no earlier run finished"
    if before.basis.source_id != basis.source_id:
        return None, "another source table"
    if _retyped(run, before.basis.columns, basis.columns):
        return None, "a mapped column has another type"
    if before.basis.recipe != basis.recipe:
        return None, "other settings, tools or code"
    if not same_rows_since(run.spark, table, before.annotated_version):
        return None, "the annotated table was changed by something else, or a run was broken off"
    return before, ""


def _retyped(run: CurationRun, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Tell whether a mapped column has another type. Raises InputError where the settings refuse that."""
    changed = [f"{name} was {before[name]}, is {now[name]}" for name in now if before.get(name, now[name]) != now[name]]
    if changed and run.settings.increments.retyped == "refuse":
        raise InputError(
            f"Table {run.source} has mapped columns of another type than in the run before: {'; '.join(changed)}. Mend "
            f"the table, or set increments.retyped: accept, which passes every conversation through again."
        )
    return bool(changed)


def _stale(run: CurationRun, rows: Rows, before: Progress, basis: Basis, source: Identity) -> _Stale | None:
    """List what changed; None where that is so much that everything had better be done.

    The annotated table is read as it is now, which `_usable` has found to have the rows that the run before left:
    VACUUM may have removed the version that it named.
    """
    found = changed_by_feed(run, before.basis, basis, source)
    way = "feed" if found is not None else "compare"
    if found is None:
        found = run.keep(_from_comparison(run, rows))
    recanned = before.basis.canned ^ basis.canned
    if recanned:
        said = conversations_with(rows.mapped, recanned, layout=run.settings.source.layout)
        found = run.keep(found.union(said).distinct())
    subjects = run.erasures.subjects
    if subjects is not None:
        found = run.keep(found.union(_still_there(run, subjects)).distinct())
    count = found.count()
    known = read_table(run.spark, run.table(names.ANNOTATED)).count()
    return None if count > _MOST_REBUILT * known else _Stale(found, way, count)


def changed_by_feed(run: CurationRun, before: Basis, now: Basis, source: Identity) -> DataFrame | None:
    """List the changed conversations by the change data feed; None where it cannot be had."""
    mode = run.settings.increments.mode
    if mode == "compare" or not source.feed or now.source_version < before.source_version:
        return None
    if now.source_version == before.source_version:
        return local_frame(run.spark, [], "conversation_id string")
    try:
        changes = changed_rows(run.spark, run.source, after=before.source_version, upto=now.source_version)
        mapped = map_rows(changes, run.settings.source, run.settings.origins)
        return run.keep(whole_rows(mapped).select("conversation_id").distinct())
    except Exception as error:
        # Java's own, where a file of the feed is gone, is none of pyspark's.
        if not isinstance(error, PySparkException) and "FileNotFoundException" not in str(error):
            raise
        logger.warning(
            "the change data feed of %s cannot be read from version %d on (%s): rows are compared instead",
            run.source,
            before.source_version + 1,
            condition_of(error) or type(error).__name__,
        )
        return None


def _from_comparison(run: CurationRun, rows: Rows) -> DataFrame:
    """List the conversations whose rows have another hash than those that were annotated, on either side."""
    stored = read_table(run.spark, run.table(names.ANNOTATED))
    then = stored.select("conversation_id", F.struct("rows_in", "rows_hash").alias("then"))
    now = fingerprints(whole_rows(rows.mapped)).select("conversation_id", F.struct("rows_in", "rows_hash").alias("now"))
    both = then.join(now, on="conversation_id", how="full_outer")
    return both.where(~F.col("then").eqNullSafe(F.col("now"))).select("conversation_id")


def _still_there(run: CurationRun, subjects: DataFrame) -> DataFrame:
    """List the annotated conversations that are to be erased, and were not before an erasure was broken off."""
    stored = read_table(run.spark, run.table(names.ANNOTATED))
    ids = stored.select("conversation_id").withColumn("subject", subject_of(F.col("conversation_id")))
    return ids.join(subjects, on="subject", how="left_semi").select("conversation_id")


def _in_full(run: CurationRun, rows: Rows, basis: Basis, *, why: str) -> DataFrame:
    annotated = run.write(names.ANNOTATED, _annotated(run, rows.mapped, rows.plan))
    _record(run, basis, Increment(way="full", why=why))
    return annotated


def _in_part(run: CurationRun, rows: Rows, basis: Basis, before: Progress, stale: _Stale) -> DataFrame:
    table, rebuilt = run.table(names.ANNOTATED), 0
    if stale.count:
        delete_matching(stale.ids, table, on="conversation_id")
        changed = rows.mapped.join(F.broadcast(stale.ids), on="conversation_id", how="left_semi")
        rebuilt = append(checked(_annotated(run, changed, rows.plan), names.ANNOTATED), table, run_id=run.run_id)
    run.written[names.ANNOTATED] = {"table": str(table), "version": latest_version(run.spark, table)}
    why = f"changes since version {before.basis.source_version} of the source"
    _record(run, basis, Increment(way=stale.way, why=why, rebuilt=rebuilt, gone=stale.count - rebuilt))
    return checked(read_table(run.spark, table, version=run.written[names.ANNOTATED]["version"]), names.ANNOTATED)


def _annotated(run: CurationRun, mapped: DataFrame, plan: PassPlan) -> DataFrame:
    settings = run.settings
    assembled = assemble(mapped, layout=settings.source.layout, max_turns=settings.conversations.max_turns)
    return annotate(assembled, plan=plan)


def _record(run: CurationRun, basis: Basis, increment: Increment) -> None:
    table = run.table(names.ANNOTATED)
    progress = Progress(
        basis=basis,
        annotated_id=identify(run.spark, table).id,
        annotated_version=run.written[names.ANNOTATED]["version"],
    )
    record_progress(run.spark, run.table(names.INCREMENTS), progress, increment=increment, run_id=run.run_id)
    run.increment = increment
    logger.info("curate run=%s way=%s rebuilt=%s gone=%s", run.run_id, increment.way, increment.rebuilt, increment.gone)
