"""Draw the sample that topics are fitted on, and assign every conversation on Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finelake.config.settings import Topics
from finelake.topics.fit import Sample
from finelake.topics.model import NO_TOPIC, Assigner, Floats, TopicModel

ASSIGNED_SCHEMA = "conversation_id string, topic int, similarity double"

# A worker turns at most this many conversations into arrays at a time.
_SLICE = 2_000


def draw_sample(conversations: DataFrame, *, config: Topics) -> Sample:
    """Collect the sample: conversations by salted hash, `config.sample` of them at most, texts cut.

    Needs conversation_id, compared, user_id, and vector array<float> where topics are clustered by vectors. One job.
    """
    by_vector = config.features == "embedding"
    rank = F.xxhash64(F.lit(f"topics {config.seed}"), "conversation_id").alias("rank")
    text = F.substring("compared", 1, config.characters).alias("text")
    rows = (
        conversations.where(F.col("compared").isNotNull() & (F.col("vector").isNotNull() if by_vector else F.lit(True)))
        .select("conversation_id", "user_id", text, rank, *(["vector"] if by_vector else []))
        .orderBy("rank", "conversation_id")
        .limit(config.sample)
        .collect()
    )
    vectors = np.array([row["vector"] for row in rows], np.float32) if by_vector and rows else None
    return Sample([row["text"] for row in rows], [row["user_id"] for row in rows], vectors)


def assign_topics(conversations: DataFrame, *, model: TopicModel) -> DataFrame:
    """Give conversation_id, topic int (-1 for none) and similarity double for every conversation.

    Needs columns conversation_id and compared string, or vector array<float> for a model without vocabulary.
    """
    if not model.count:
        nothing = (F.lit(NO_TOPIC).alias("topic"), F.lit(0.0).alias("similarity"))
        return conversations.select("conversation_id", *nothing)
    column = "compared" if model.vocabulary else "vector"
    return conversations.select("conversation_id", column).mapInArrow(_assigning(model), ASSIGNED_SCHEMA)


def _assigning(model: TopicModel) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        assigner = Assigner(model)
        width = model.centroids.shape[1]
        for batch in batches:
            for start in range(0, batch.num_rows, _SLICE):
                part = batch.slice(start, _SLICE)
                values = part.column(1)
                if model.vocabulary:
                    found = assigner.texts(values.to_pylist())
                else:
                    found = assigner.vectors(vectors_of(values, width=width))
                columns = [part.column(0), pa.array(found.topic, pa.int32()), pa.array(found.similarity, pa.float64())]
                yield pa.RecordBatch.from_arrays(columns, ["conversation_id", "topic", "similarity"])

    return run


def vectors_of(values: pa.ListArray, *, width: int) -> Floats:
    """Give lists of numbers as float32 (rows, width); a null, or a list of another length, becomes a row of zeros."""
    rows = np.zeros((len(values), width), np.float32)
    lengths = np.asarray(values.value_lengths().fill_null(-1))
    fitting = np.flatnonzero(lengths == width)
    flat = values.take(pa.array(fitting)).flatten()
    rows[fitting] = np.asarray(flat.fill_null(float("nan")), np.float32).reshape(len(fitting), width)
    return rows
