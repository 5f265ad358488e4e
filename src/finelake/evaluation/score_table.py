"""The Delta table of scores: one row an item and metric, with the keys of the answers it was measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from pyspark.sql import SparkSession

from finelake.evaluation.item import TEST
from finelake.tables.local import local_frame
from finelake.tables.names import TableRef
from finelake.tables.schemas.training import Scores
from finelake.tables.writing import append_once


@dataclass(frozen=True, slots=True)
class Score:
    """Both models' value of one metric on one item."""

    conversation_id: str
    window: int
    message: int
    group_key: str
    metric: str
    base: float
    tuned: float
    base_answer: str
    tuned_answer: str
    suite: str = TEST


def record_scores(
    spark: SparkSession, table: TableRef, scores: Sequence[Score], *, run_id: str, evaluation_id: str
) -> None:
    """Append an evaluation's scores, once: the same evaluation of a run is not written again."""
    rows = [(run_id, evaluation_id, *astuple(score)) for score in scores]
    frame = local_frame(spark, rows, schema=Scores.to_structtype())
    append_once(frame.coalesce(1), table, key=f"{run_id}.scores.{evaluation_id}", new_columns=True)
