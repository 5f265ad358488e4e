"""What near duplicates are searched in: one row a conversation, with its text, its place in the order and its group."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.relate.labels import label_of, since_of


def trained_tokens() -> Column:
    """Sum the trained tokens of an annotated conversation's windows (bigint)."""
    # This path into the structs reads the numbers alone; `F.transform` over the windows would read their lines too.
    return F.aggregate("windows.trained_tokens", F.lit(0).cast("bigint"), lambda total, tokens: total + tokens)


def documents(candidates: DataFrame, *, findings: Column, tokens: Column, group: Column) -> DataFrame:
    """Build documents from columns conversation_id string, first_at timestamp and compared string.

    Gives label string (see `labels`), conversation_id, group string (the user, or what stands alone), since bigint
    (microseconds), content bigint (a hash that tells whether the text has changed) and compared. A conversation without
    compared text (one that consists of tool calls alone) resembles nothing and is left out.
    """
    since = since_of(F.col("first_at"))
    return candidates.where("trim(compared) <> ''").select(
        label_of(findings=findings, tokens=tokens, since=since, name=F.col("conversation_id")).alias("label"),
        "conversation_id",
        group.alias("group"),
        since.alias("since"),
        F.xxhash64("compared").alias("content"),
        "compared",
    )
