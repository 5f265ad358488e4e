"""From turns to conversations: one row a conversation, with its turns as JSON text for the Python pass.

Rows that cannot belong to a conversation are kept apart (`loose_rows`). Conversations of so many turns that they
would not fit a worker's memory never enter the grouping: they are found by counting the id column alone.
"""

from __future__ import annotations

from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.conversations.erased import ERASED
from finelake.conversations.fingerprint import rows_hash
from finelake.conversations.order import TOO_MANY_TURNS
from finelake.conversations.text import TEXT_INVALID_UNICODE
from finelake.ingest import ROW_NOT_JSON
from finelake.rules.registry import Rule, register
from finelake.tables.schemas.structs import DECISION

CONVERSATION_ID_MISSING = register(
    Rule(
        code="conversation_id_missing",
        step="assemble",
        action="quarantine",
        summary="A row has no conversation id, so it belongs to no conversation; the row itself is set aside.",
    )
)
CONVERSATION_REPEATED = register(
    Rule(
        code="conversation_repeated",
        step="assemble",
        action="merge",
        summary="Several rows hold the same conversation under the same id; one is kept.",
    )
)
CONVERSATION_CONFLICT = register(
    Rule(
        code="conversation_conflict",
        step="assemble",
        action="quarantine",
        summary="Several rows hold different conversations under the same id.",
    )
)

# Turns a worker is asked to hold for one conversation at most, as a multiple of the policy's max_turns.
GIANT_FACTOR = 4

_DECISIONS = T.ArrayType(DECISION)


def loose_rows(mapped: DataFrame) -> DataFrame:
    """Select the rows that belong to no conversation: conversation_id, reason and payload string."""
    known = F.when(F.col("problem").isin(ROW_NOT_JSON.code, ERASED.code), F.col("problem"))
    reason = F.coalesce(known, F.lit(CONVERSATION_ID_MISSING.code))
    return mapped.where(_loose()).select("conversation_id", reason.alias("reason"), "payload")


def whole_rows(mapped: DataFrame) -> DataFrame:
    """Select the rows that belong to a conversation."""
    return mapped.where(~_loose())


def assemble(mapped: DataFrame, *, layout: Literal["turns", "conversations"], max_turns: int) -> DataFrame:
    """Give one row a conversation.

    Columns: conversation_id, rows_in bigint, user_id, agent_ids array<string>, origins array<string>, language,
    metadata map<string,string>, first_at and last_at timestamp, rows_hash bigint (conversations.fingerprint), content
    string (JSON: the turns sorted by index, time and content, or the messages), tools string, assembly
    array<decision> (what was decided here).
    """
    rows = whole_rows(mapped)
    if layout == "conversations":
        return _group_conversations(rows)
    counts = rows.groupBy("conversation_id").agg(F.count(F.lit(1)).alias("rows_in"))
    giants = counts.where(F.col("rows_in") > GIANT_FACTOR * max_turns)
    turns = rows.join(giants.select("conversation_id"), on="conversation_id", how="left_anti")
    return _group_turns(turns).unionByName(_giant(giants, max_turns=max_turns), allowMissingColumns=True)


def _group_turns(turns: DataFrame) -> DataFrame:
    # Index, time and content hash lead the struct: rows equal in all three are the same turn, so any order is right.
    in_order = F.array_sort(F.collect_list("turn"))
    return turns.groupBy("conversation_id").agg(
        F.count(F.lit(1)).alias("rows_in"),
        rows_hash(turns).alias("rows_hash"),
        *_described(),
        F.timestamp_micros(F.min("turn.t")).alias("first_at"),
        F.timestamp_micros(F.max("turn.t")).alias("last_at"),
        F.to_json(in_order).alias("content"),
        _no_text().alias("tools"),
        F.array().cast(_DECISIONS).alias("assembly"),
    )


def _giant(giants: DataFrame, *, max_turns: int) -> DataFrame:
    too_many = _decision(TOO_MANY_TURNS, value=F.col("rows_in").cast("string"), threshold=F.lit(str(max_turns)))
    return giants.select("conversation_id", "rows_in", F.array(too_many).alias("assembly"))


def _group_conversations(rows: DataFrame) -> DataFrame:
    """Group rows that each hold a whole conversation; several rows under one id must hold the same."""
    nothing = F.lit(None).cast("timestamp")
    grouped = rows.groupBy("conversation_id").agg(
        F.count(F.lit(1)).alias("rows_in"),
        rows_hash(rows).alias("rows_hash"),
        *_described(),
        F.count_distinct(F.xxhash64("chat", "tools")).alias("versions"),
        F.min(F.struct("chat", "tools", "invalid_unicode")).alias("first"),
        F.to_json(F.array_sort(F.collect_set("chat"))).alias("all_chats"),
    )
    versions, count = F.col("versions").cast("string"), F.col("rows_in").cast("string")
    assembly = F.array_compact(
        F.array(
            F.when(F.col("versions") > 1, _decision(CONVERSATION_CONFLICT, value=versions, threshold=F.lit("1"))),
            F.when(
                (F.col("versions") == 1) & (F.col("rows_in") > 1),
                _decision(CONVERSATION_REPEATED, value=count, threshold=F.lit("1")),
            ),
            F.when(
                F.col("first.invalid_unicode"), _decision(TEXT_INVALID_UNICODE, value=_no_text(), threshold=_no_text())
            ),
        )
    )
    return grouped.select(
        "*",
        nothing.alias("first_at"),
        nothing.alias("last_at"),
        F.when(F.col("versions") > 1, F.col("all_chats")).otherwise(F.col("first.chat")).alias("content"),
        F.col("first.tools").alias("tools"),
        assembly.cast(_DECISIONS).alias("assembly"),
    ).drop("versions", "first", "all_chats")


def _decision(rule: Rule, *, value: Column, threshold: Column) -> Column:
    return F.struct(
        F.lit(rule.step).alias("step"),
        F.lit(rule.action).alias("action"),
        F.lit(rule.code).alias("reason"),
        F.array().cast("array<int>").alias("turns"),
        value.alias("value"),
        threshold.alias("threshold"),
    ).cast(DECISION)


def _described() -> list[Column]:
    return [
        F.min("user_id").alias("user_id"),
        F.array_sort(F.collect_set("agent_id")).cast("array<string>").alias("agent_ids"),
        F.array_sort(F.collect_set("origin")).cast("array<string>").alias("origins"),
        F.min("language").alias("language"),
        F.min_by("metadata", F.xxhash64(F.to_json("metadata"))).alias("metadata"),
    ]


def _loose() -> Column:
    unreadable = F.coalesce(F.col("problem") == ROW_NOT_JSON.code, F.lit(False))
    return F.col("conversation_id").isNull() | unreadable


def _no_text() -> Column:
    return F.lit(None).cast("string")
