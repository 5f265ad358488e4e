"""The rules about one reply's text on Spark, to measure a table by them in one select."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from finelake.replies.conditions import Condition, Texts

SEPARATOR = ","


def finding_column(text: Column, *, conditions: Mapping[str, Condition]) -> Column:
    """Give the names of the conditions that a text fulfils, joined by commas; "" for none."""
    texts = Texts.of(text)
    return F.concat_ws(SEPARATOR, *(F.when(item.column(texts), F.lit(name)) for name, item in conditions.items()))
