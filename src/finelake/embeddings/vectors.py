"""The vectors of conversations, from wherever they come: columns conversation_id string, vector array<float>."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finelake.config.settings import Embeddings
from finelake.embeddings.encode import content_of, embed
from finelake.errors import InputError

Append = Callable[[DataFrame], DataFrame]
"""Append frames of the table `embeddings` and give the whole table."""

_NUMBERS = (T.FloatType, T.DoubleType, T.DecimalType)


def vectors_in(table: DataFrame, *, config: Embeddings, key: str) -> DataFrame:
    """Select the user's vectors from a table; `key` is the column of the conversation's id.

    Raises InputError where a column is missing or does not hold arrays of numbers.
    """
    column = config.column or ""
    for name in (key, column):
        if name not in table.columns:
            raise InputError(
                f"embeddings.column {column!r} with key {key!r}: the table has no column {name!r}. Found: "
                f"{', '.join(sorted(table.columns))}."
            )
    kind = table.schema[column].dataType
    if not isinstance(kind, T.ArrayType) or not isinstance(kind.elementType, _NUMBERS):
        raise InputError(
            f"embeddings.column {column!r} is {kind.simpleString()}; expected array<float> or array<double>."
        )
    given = table.select(F.trim(F.col(key).cast("string")).alias("conversation_id"), F.col(column).cast("array<float>"))
    return given.groupBy("conversation_id").agg(F.min(column).alias("vector"))


def vectors_of_model(
    conversations: DataFrame, *, config: Embeddings, stored: DataFrame | None, append: Append
) -> DataFrame:
    """Give the model's vectors of conversations with column compared; only texts that are not stored are embedded."""
    wanted = conversations
    if stored is not None:
        known = stored.select(F.col("content").alias("known"))
        wanted = conversations.join(known, content_of(config) == F.col("known"), how="left_anti")
    table = append(embed(wanted, config=config))
    keyed = conversations.where("trim(compared) <> ''").select("conversation_id", content_of(config).alias("content"))
    return keyed.join(table.select("content", "vector"), on="content", how="inner").select("conversation_id", "vector")
