"""Small Delta lakes for the Spark tests: turns to write, settings that fit them, and what a curation left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.curate import Curation
from finelake.decide import OUTCOME_STEP
from finelake.ingest import Ingested
from finelake.sample import SampleFiles
from finelake.tables.names import table_ref
from finelake.tables.reading import read_table

MODEL = "gpt-4.1-mini-2025-04-14"
TURN_COLUMNS = (
    "conversation_id string, turn_index bigint, sent_at string, author string, text string, tool_calls string, "
    "tool_call_id string, user_id string"
)
TURN_MAPPING: dict[str, Any] = {
    "turn_index": "turn_index",
    "sent_at": "sent_at",
    "tool_calls": "tool_calls",
    "tool_call_id": "tool_call_id",
    "user_id": "user_id",
}
OF_A_RUN = {"run_id", "hashed", "batch", "_errors"}
"""Columns that two runs over the same rows fill differently."""
ALL_TRAINED = {"validation": 0.0, "test": 0.0}

TurnTuple = tuple[str | None, int | None, str | None, str | None, str | None, str | None, str | None, str | None]


def turn(
    conversation_id: str | None,
    index: int | None,
    author: str | None,
    text: str | None,
    *,
    calls: str | None = None,
    call_id: str | None = None,
    user: str | None = None,
) -> TurnTuple:
    """Build one raw row in the order of TURN_COLUMNS."""
    return (conversation_id, index, None, author, text, calls, call_id, user)


def talk(conversation_id: str | None, *texts: str | None, user: str | None = None) -> list[TurnTuple]:
    """Build a conversation in which customer and agent take turns."""
    authors = ("customer", "agent")
    return [turn(conversation_id, n, authors[n % 2], text, user=user) for n, text in enumerate(texts)]


def save_turns(spark: SparkSession, rows: Iterable[TurnTuple], place: Path) -> None:
    """Write raw rows as a new Delta table."""
    spark.createDataFrame(list(rows), TURN_COLUMNS).write.format("delta").save(str(place))


def settings_for(folder: Path, *, source: dict[str, Any] | None = None, **sections: Any) -> Settings:
    """Give settings for a lake in a folder: raw turns in `raw`, everything trained unless `splits` says otherwise."""
    given = source or {}
    columns = TURN_MAPPING if given.get("layout", "turns") == "turns" else {}
    roles = {"customer": "user", "agent": "assistant", "system": "system", "tool": "tool"}
    values: dict[str, Any] = {
        "project": "test",
        "model": MODEL,
        "source": {"table": str(folder / "raw"), "columns": columns, "roles": roles} | given,
        "tables": {"location": str(folder / "tables")},
        "output": {"folder": str(folder / "output")},
        "splits": ALL_TRAINED,
    }
    return Settings.model_validate(values | sections)


def table(spark: SparkSession, settings: Settings, name: str) -> DataFrame:
    """Read one of finelake's tables."""
    return read_table(spark, table_ref(settings.tables, name))


def contents(frame: DataFrame) -> list[str]:
    """Give a frame's rows as JSON, sorted, without what names the run that wrote them."""
    chosen = [name for name in frame.columns if name not in OF_A_RUN]
    return sorted(row["row"] for row in frame.select(F.to_json(F.struct(*chosen)).alias("row")).collect())


def outcomes(spark: SparkSession, settings: Settings) -> dict[str, Row]:
    """Give the outcome row of every conversation by its id; every conversation must have exactly one."""
    rows = table(spark, settings, "ledger").where(
        (F.col("step") == OUTCOME_STEP) & F.col("conversation_id").isNotNull()
    )
    found = rows.collect()
    by_id = {row["conversation_id"]: row for row in found}
    assert len(by_id) == len(found), "a conversation has two outcomes"
    return by_id


def decisions(spark: SparkSession, settings: Settings) -> dict[str, set[str]]:
    """Give the ids of the conversations that each reason code was given to, outcomes left out."""
    rows = table(spark, settings, "ledger").where(F.col("step") != OUTCOME_STEP).collect()
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["reason"], set()).add(row["conversation_id"])
    return found


def published_lines(folder: Path, splits: Sequence[str] = ("train", "validation", "test")) -> list[str]:
    """Read the lines of published files, cut at newlines alone."""
    texts = [(folder / f"{split}.jsonl").read_bytes().decode("utf-8") for split in splits]
    return [line for text in texts for line in text.split("\n") if line]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The sample's files and truth, the settings it was curated with, and what came of it."""

    settings: Settings
    files: SampleFiles
    truth: list[dict[str, Any]]
    ingested: Ingested
    curation: Curation

    @property
    def output(self) -> Path:
        """The published folder."""
        return Path(self.settings.output.folder)


def read_json_lines(path: Path) -> list[Any]:
    """Read a JSONL file, cut at newlines alone."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
