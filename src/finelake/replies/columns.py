"""The rules about one turn's text on Spark: their codes as one column, found in one pass over mapped turns."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.chat import ASSISTANT
from finelake.replies.conditions import Condition, Texts

SEPARATOR = ","


def with_findings(mapped: DataFrame, *, conditions: Mapping[str, Condition]) -> DataFrame:
    """Add to each mapped assistant turn that fulfils conditions their names: `turn.q` string, null for none."""
    if not conditions:
        return mapped
    texts = Texts.of(F.col("_reply"))
    found = F.concat_ws(
        SEPARATOR, *(F.when(condition.column(texts), F.lit(name)) for name, condition in conditions.items())
    )
    replies = mapped.withColumn("_reply", F.when(F.col("turn.r") == ASSISTANT, F.col("turn.x")))
    return replies.withColumn("turn", F.col("turn").withField("q", F.nullif(found, F.lit("")))).drop("_reply")


def finding_column(text: Column, *, conditions: Mapping[str, Condition]) -> Column:
    """Give the names of the conditions that a text fulfils, joined by commas; "" for none."""
    texts = Texts.of(text)
    return F.concat_ws(SEPARATOR, *(F.when(item.column(texts), F.lit(name)) for name, item in conditions.items()))
