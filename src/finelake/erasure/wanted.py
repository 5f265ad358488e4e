"""Which conversations a request means: by id, by user, or by a table that somebody else fills."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.conversations.assemble import whole_rows
from finelake.conversations.erased import subject_of
from finelake.conversations.mapping import check_source, map_rows
from finelake.erasure.requests import DONE
from finelake.errors import ConfigError, InputError
from finelake.tables import names
from finelake.tables.contracts import checked
from finelake.tables.local import local_frame
from finelake.tables.names import source_ref, table_ref
from finelake.tables.reading import read_table, table_exists

logger = logging.getLogger(__name__)

_USERS = "user_id string"

MOST = 1_000
"""Conversations in one request: their hashes stand in the SQL of each deletion."""


def wanted(
    spark: SparkSession,
    settings: Settings,
    *,
    conversations: Sequence[str] = (),
    users: Sequence[str] = (),
    requests: str | None = None,
    users_may_be_gone: bool = False,
) -> list[str]:
    """List the ids of the conversations that are meant, in order.

    `requests` is a Delta table with a column conversation_id or user_id or both; what it names and was erased before is
    left out. `users_may_be_gone` makes a warning of users without any conversation. Raises ConfigError for more
    than `MOST` and for users where no column names them, InputError for a table of other form, or users without any
    conversation.
    """
    found = set(conversations)
    if users:
        theirs = _ids(_conversations(spark, settings, local_frame(spark, [(each,) for each in users], _USERS)))
        if not theirs:
            nobody = f"Table {settings.source.table} has no conversation of these users. Check the ids."
            if not users_may_be_gone:
                raise InputError(nobody)
            logger.warning("%s Only what earlier calls did not finish is erased now, and what else was named.", nobody)
        found |= theirs
    if requests is not None:
        found |= _ids(_not_done(spark, settings, _requested(spark, settings, requests)))
    if len(found) > MOST:
        raise ConfigError(f"More than {MOST} conversations are to be erased, the most in one call. Do it in parts.")
    return sorted(found)


def _ids(conversations: DataFrame) -> set[str]:
    rows = conversations.where("conversation_id IS NOT NULL").distinct().limit(MOST + 1).collect()
    return {row["conversation_id"] for row in rows}


def _requested(spark: SparkSession, settings: Settings, name: str) -> DataFrame:
    table = read_table(spark, source_ref(name))
    parts = []
    if "conversation_id" in table.columns:
        parts.append(table.select(F.col("conversation_id").cast("string")))
    if "user_id" in table.columns:
        parts.append(_conversations(spark, settings, table.select(F.col("user_id").cast("string"))))
    if not parts:
        raise InputError(f"Table {name} has neither a column conversation_id nor user_id: {', '.join(table.columns)}.")
    return reduce(DataFrame.union, parts)


def _conversations(spark: SparkSession, settings: Settings, users: DataFrame) -> DataFrame:
    if settings.source.columns.user_id is None:
        raise ConfigError("source.columns.user_id is not mapped, so it is not known which conversations users had.")
    raw = read_table(spark, source_ref(settings.source.table))
    check_source(raw, settings.source)
    mapped = whole_rows(map_rows(raw, settings.source, settings.origins)).select("user_id", "conversation_id")
    return mapped.join(F.broadcast(users), on="user_id", how="left_semi").select("conversation_id")


def _not_done(spark: SparkSession, settings: Settings, ids: DataFrame) -> DataFrame:
    table = table_ref(settings.tables, names.ERASURES)
    if not table_exists(spark, table):
        return ids
    done = checked(read_table(spark, table), names.ERASURES).where(F.col("entry") == DONE)
    return ids.join(done, subject_of(F.col("conversation_id")) == done["subject"], "left_anti")
