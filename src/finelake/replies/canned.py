"""Canned replies: the signatures of replies that come again and again across the table, counted on Spark."""

from __future__ import annotations

import logging
import math
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.chat import ASSISTANT
from finelake.config.replies import Canned
from finelake.conversations.layouts import CHAT_ROLES, SHAREGPT_ROLES
from finelake.replies.conditions import Texts, signature_column

Layout = Literal["turns", "conversations"]

logger = logging.getLogger(__name__)

_MESSAGES = "array<map<string,string>>"
_PARTS = "array<struct<type:string,text:string>>"


def canned_replies(mapped: DataFrame, *, rows: int, layout: Layout, config: Canned) -> frozenset[str]:
    """Collect the signatures of the most frequent replies of a table of so many rows, at most `max_kept`.

    Runs one job over the texts, none where the rule is off or the table is too small. Ties at the cap are broken by
    the signature, so the result depends on the table alone; a cap that was reached is logged.
    """
    least = least_count(config, rows=rows)
    if config.action == "off" or (layout == "turns" and rows < least):
        return frozenset()
    texts = reply_texts(mapped, layout=layout).where(F.length("text") >= config.min_characters)
    signatures = texts.select(_signature())
    counts = signatures.groupBy("signature").agg(F.count(F.lit(1)).alias("count")).where(F.col("count") >= least)
    found = counts.orderBy(F.desc("count"), "signature").limit(config.max_kept + 1).collect()
    if len(found) > config.max_kept:
        logger.warning("more canned replies than replies.canned.max_kept=%d: the rarest are left out", config.max_kept)
    return frozenset(row["signature"] for row in found[: config.max_kept])


def conversations_with(mapped: DataFrame, signatures: frozenset[str], *, layout: Layout) -> DataFrame:
    """List the conversations (column conversation_id) in which a reply has one of some signatures."""
    replies = reply_texts(mapped, layout=layout).where(F.col("conversation_id").isNotNull())
    said = replies.select("conversation_id", _signature()).where(F.col("signature").isin(*sorted(signatures)))
    return said.select("conversation_id").distinct()


def least_count(config: Canned, *, rows: int) -> int:
    """Give how often a reply must come in a table of so many rows to count as canned."""
    return max(config.min_count, math.ceil(config.min_share * rows))


def reply_texts(mapped: DataFrame, *, layout: Layout) -> DataFrame:
    """List the texts of assistant turns: conversation_id string, text string."""
    if layout == "turns":
        return mapped.where(F.col("turn.r") == ASSISTANT).select("conversation_id", F.col("turn.x").alias("text"))
    messages = F.coalesce(
        F.from_json("chat", _MESSAGES),
        F.from_json(F.get_json_object("chat", "$.messages"), _MESSAGES),
        F.from_json(F.get_json_object("chat", "$.conversations"), _MESSAGES),
    )
    single = mapped.select("conversation_id", F.explode(messages).alias("message")).where(_is_reply(F.col("message")))
    return single.select("conversation_id", _content(F.col("message")).alias("text"))


def _signature() -> Column:
    return signature_column(Texts.of(F.col("text"))).alias("signature")


def _is_reply(message: Column) -> Column:
    said_by = [name for name, role in CHAT_ROLES.items() if role == ASSISTANT]
    from_ = [name for name, role in SHAREGPT_ROLES.items() if role == ASSISTANT]
    return F.coalesce(_value(message, "role").isin(said_by), _value(message, "from").isin(from_), F.lit(False))


def _content(message: Column) -> Column:
    """Read a message's text; text in parts is joined."""
    content = F.coalesce(_value(message, "content"), _value(message, "value"))
    parts = F.from_json(F.when(F.startswith(content, F.lit("[{")), content), _PARTS)
    return F.coalesce(F.array_join(F.transform(parts, lambda part: part["text"]), ""), content)


def _value(message: Column, key: str) -> Column:
    return F.try_element_at(message, F.lit(key))
