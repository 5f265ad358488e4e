"""Tables of vectors and topics."""

from __future__ import annotations

import pandera.pyspark as pa
import pyspark.sql.types as T


class Embeddings(pa.DataFrameModel):
    """One row a text that a model has embedded: `content` is a hash of model and text, the vector has length one."""

    content: T.StringType = pa.Field(nullable=True)
    vector: T.ArrayType(T.FloatType()) = pa.Field(nullable=True)


class Topics(pa.DataFrameModel):
    """The topic model (see topics.store): one row a topic (`part` topic) and one a term that it knows (`part` term)."""

    part: T.StringType = pa.Field(nullable=True)
    position: T.IntegerType = pa.Field(nullable=True)
    text: T.StringType = pa.Field(nullable=True)
    weight: T.DoubleType = pa.Field(nullable=True)
    size: T.LongType = pa.Field(nullable=True)
    vector: T.ArrayType(T.FloatType()) = pa.Field(nullable=True)
    characters: T.IntegerType = pa.Field(nullable=True)
    config_hash: T.StringType = pa.Field(nullable=True)


class ConversationTopics(pa.DataFrameModel):
    """The topic of each conversation (-1: none) and its cosine similarity to the topic's centre, 0 to 1."""

    conversation_id: T.StringType = pa.Field(nullable=True)
    topic: T.IntegerType = pa.Field(nullable=True)
    similarity: T.DoubleType = pa.Field(nullable=True)
