"""What the tests of the service with real models share: published files, settings, a driver without Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.chats_to_learn import chats
from tests.http.training.setting import publish_lines

from finelake.config.settings import Settings

MODEL = "tiny-llama"


def publish_chats(folder: Path, *, train: int = 48, validation: int = 12, test: int = 12) -> None:
    """Write published files of the chats that these tests learn."""
    lines = [json.dumps(chat, ensure_ascii=False) for chat in chats(train + validation + test)]
    parts = {"train": lines[:train], "validation": lines[train : train + validation]}
    publish_lines(folder, {**parts, "test": lines[train + validation :]}, model=MODEL)


def local_settings(folder: Path, model: Path, **sections: dict[str, Any]) -> Settings:
    """Give settings of a run on this machine, all of it under `folder`; `sections` change single keys."""
    local: dict[str, Any] = {
        "folder": str(folder / "hf"),
        "models": {MODEL: str(model)},
        "context": 512,
        "tuning": "full",
        "hyperparameters": {"learning_rate": 0.003, "micro_batch": 4, "warmup": 0.0},
        "checkpoint_steps": 4,
        "idle_minutes": 5,
        "device": "cpu",
    } | sections.pop("huggingface", {})
    values: dict[str, Any] = {
        "source": {"table": str(folder / "raw"), "columns": {"turn_index": "turn_index"}},
        "tables": {"location": str(folder / "tables")},
        "output": {"folder": str(folder / "published")},
        "service": {"kind": "huggingface", "huggingface": local},
        "training": {"poll_seconds": 0.2, "epochs": 3, "batch_size": 4},
        "deployment": {"sku": "Standard", "checkpoint": "best", "ready_timeout_seconds": 120},
        "evaluation": {"smoke_prompts": ["Where is my lamp?"], "max_tokens": 24},
    }
    for name, changes in sections.items():
        values[name] = values.get(name, {}) | changes
    return Settings.model_validate({"project": "shop", "model": MODEL, **values})
