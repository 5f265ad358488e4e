"""What the tests of the service with real models share: published files, settings, and what a driver was told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.http.training.setting import publish_lines

from finelake.config.settings import Settings
from finelake.services.local import find_service, stop_service
from finelake.tables.names import EXAMPLES, table_ref
from finelake.training.progress import JobReport, Progress
from support.chats_to_learn import chats

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MODEL = "tiny-llama"
CURATION = "curation-1"


class Seen(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.reports: list[JobReport] = []
        self.finished_steps: list[str] = []

    def finished(self, step: str, detail: str) -> None:
        assert detail
        self.finished_steps.append(step)

    def job_changed(self, report: JobReport) -> None:
        self.reports.append(report)


@contextmanager
def ended(folder: Path) -> Iterator[None]:
    """End the service of a folder after a block."""
    try:
        yield
    finally:
        running = find_service(folder / "hf" / "service")
        if running is not None:
            stop_service(running.pid)


def publish_chats(folder: Path, *, train: int = 48, validation: int = 12, test: int = 12) -> dict[str, list[str]]:
    """Write published files of the chats that these tests learn; give the lines by split."""
    lines = [json.dumps(chat, ensure_ascii=False) for chat in chats(train + validation + test)]
    parts = {
        "train": lines[:train],
        "validation": lines[train : train + validation],
        "test": lines[train + validation :],
    }
    publish_lines(folder, parts, model=MODEL, run_id=CURATION)
    return parts


def write_examples(spark: SparkSession, settings: Settings, lines: dict[str, list[str]]) -> None:
    """Write the examples table that an evaluation reads the test split from: each example is a group."""
    from finelake.tables.schemas.curation import Examples
    from finelake.tables.writing import overwrite

    rows = [
        {
            "conversation_id": f"{split}-{at}",
            "group_key": f"user-{split}-{at}",
            "window": 0,
            "windows": 1,
            "split": split,
            "sort_key": f"{at * 7919 % 1000:04d}",
            "line": line,
        }
        for split, of_split in lines.items()
        for at, line in enumerate(of_split)
    ]
    schema = Examples.to_structtype()
    frame = spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema=schema)
    overwrite(frame, table_ref(settings.tables, EXAMPLES), run_id="run-1")


def write_chat_shards(spark: SparkSession, folder: Path, lines: dict[str, list[str]]) -> Path:
    """Write lines as shards of about twenty examples, whose tokens were not counted; give the folder."""
    from finelake.config.huggingface import Shards
    from finelake.huggingface.shards import write_shards

    rows = [
        (
            split,
            hashlib.sha256(f"{split}-{at}".encode()).hexdigest(),
            f"{split}-{at}",
            0,
            f"user-{split}-{at}",
            line,
            0,
            0,
        )
        for split, of_split in lines.items()
        for at, line in enumerate(of_split)
    ]
    columns = "split string, sort_key string, conversation_id string, window int, group_key string, line string"
    frame = spark.createDataFrame(rows, f"{columns}, tokens bigint, trained_tokens bigint")
    write_shards(frame, config=Shards(folder=str(folder), rows=20), run_id=CURATION)
    return folder


def local_settings(folder: Path, model: Path, **sections: dict[str, Any]) -> Settings:
    """Give settings of a run on this machine, all of it under `folder`; `sections` change single keys."""
    local: dict[str, Any] = {
        "folder": str(folder / "hf"),
        "models": {MODEL: str(model)},
        "context": 512,
        "tuning": "full",
        "hyperparameters": {"learning_rate": 0.008, "micro_batch": 8, "warmup": 0.0},
        "checkpoint_steps": 6,
        "idle_minutes": 5,
        "device": "cpu",
    } | sections.pop("huggingface", {})
    values: dict[str, Any] = {
        "source": {"table": str(folder / "raw"), "columns": {"turn_index": "turn_index"}},
        "tables": {"location": str(folder / "tables")},
        "output": {"folder": str(folder / "published")},
        "service": {"kind": "huggingface", "huggingface": local},
        "training": {"poll_seconds": 0.2, "epochs": 3, "batch_size": 8},
        "deployment": {"sku": "Standard", "checkpoint": "best", "ready_timeout_seconds": 120},
        "evaluation": {"smoke_prompts": ["Where is my lamp?"], "max_tokens": 24, "max_examples": 36},
    }
    for name, changes in sections.items():
        values[name] = values.get(name, {}) | changes
    return Settings.model_validate({"project": "shop", "model": MODEL, **values})
