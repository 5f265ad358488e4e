"""Rows of erased conversations, which a raw table may still have or get again: counted, and nothing of them kept."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finelake.rules.registry import Rule, register

ERASED = register(
    Rule(
        code="erased",
        step="assemble",
        action="quarantine",
        summary="The row's conversation was erased on request: the row is counted, its id and text are not kept.",
    )
)


def subject_of(conversation_id: Column) -> Column:
    """Give what stands for an erased conversation: the SHA-256 of its id, 64 hex digits."""
    return F.sha2(conversation_id, 256)


def blank_erased(mapped: DataFrame, subjects: DataFrame) -> DataFrame:
    """Empty the mapped rows whose conversation is among `subjects` (column subject); `problem` gets the rule's code.

    Such rows belong to no conversation any more.
    """
    erased = F.col("subject").isNotNull()
    rows = mapped.join(
        F.broadcast(subjects.distinct()), subject_of(F.col("conversation_id")) == F.col("subject"), "left"
    )
    kept = {name: F.when(~erased, F.col(name)) for name in mapped.columns}
    kept["problem"] = F.when(erased, F.lit(ERASED.code)).otherwise(F.col("problem"))
    return rows.select(*(column.alias(name) for name, column in kept.items()))
