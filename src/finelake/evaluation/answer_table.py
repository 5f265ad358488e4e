"""The Delta table of answers: the cache that keeps a paid answer from being paid again.

One row an answer, as `contracts.Answers` says. `key` is the SHA-256 of the request, so a changed prompt, model
or option is another question. The table holds conversation text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from finelake.evaluation.asking import Answer
from finelake.evaluation.replies import Reply, ToolCall
from finelake.tables.contracts import checked
from finelake.tables.local import local_frame
from finelake.tables.names import ANSWERS, TableRef
from finelake.tables.reading import read_table, table_exists
from finelake.tables.schemas.training import Answers
from finelake.tables.writing import append_once


class AnswerTable:
    """The answers of one run."""

    def __init__(self, spark: SparkSession, table: TableRef, *, run_id: str) -> None:
        self._spark = spark
        self._table = table
        self._run_id = run_id

    def read(self) -> dict[str, Answer]:
        """Give the run's answers by key; an empty dictionary when there are none yet."""
        if not table_exists(self._spark, self._table):
            return {}
        frame = checked(read_table(self._spark, self._table), ANSWERS)
        rows = frame.where(F.col("run_id") == self._run_id).collect()
        return {row["key"]: _answer(row) for row in rows}

    def record(self, answers: Sequence[Answer]) -> None:
        """Append answers in one commit, as one file; the same keys are never appended twice."""
        now = datetime.now(UTC)
        frame = local_frame(self._spark, [self._row(answer, now) for answer in answers], schema=Answers.to_structtype())
        keys = hashlib.sha256("".join(sorted(answer.key for answer in answers)).encode()).hexdigest()
        append_once(frame.coalesce(1), self._table, key=f"{self._run_id}.answers.{keys}")

    def _row(self, answer: Answer, now: datetime) -> tuple[Any, ...]:
        return (
            self._run_id,
            answer.key,
            answer.role,
            answer.model,
            answer.reply.text,
            [(call.name, call.arguments) for call in answer.reply.tool_calls],
            answer.finish_reason,
            answer.error,
            answer.billed,
            answer.prompt_tokens,
            answer.completion_tokens,
            answer.seconds,
            answer.fingerprint,
            now,
        )


def _answer(row: Row) -> Answer:
    calls = tuple(ToolCall(name=call["name"], arguments=call["arguments"]) for call in row["tool_calls"])
    return Answer(
        key=row["key"],
        role=row["role"],
        model=row["model"],
        reply=Reply(text=row["text"], tool_calls=calls),
        finish_reason=row["finish_reason"],
        error=row["error"],
        billed=row["billed"],
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        seconds=row["seconds"],
        fingerprint=row["fingerprint"],
    )
