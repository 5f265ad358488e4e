"""A training run of a tiny model that nothing has broken: tests look at it, and those of kills repeat it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.hf.service.setting import ended, local_settings, publish_chats, write_chat_shards, write_examples

from finelake.config.settings import Settings
from finelake.training.outcome import TrainingOutcome

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COUNTS = {"train": 48, "validation": 10, "test": 36}
STEPS = 36
CHOSEN: dict[str, Any] = {"training": {"epochs": 6, "batch_size": 8}}


@dataclass(frozen=True, slots=True)
class Road:
    """A run that has ended, and where its job worked."""

    settings: Settings
    outcome: TrainingOutcome
    job_folder: Path


def streamed_settings(folder: Path, model: Path, shards: Path) -> Settings:
    """Give settings of a run that streams shards, one example at a time, so that there is time to break it."""
    local = {"shards": str(shards), "hyperparameters": {"learning_rate": 0.008, "micro_batch": 1, "warmup": 0.0}}
    return local_settings(folder, model, huggingface=local, shards={"folder": str(shards)}, **CHOSEN)


@pytest.fixture(scope="session")
def road(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Road]:
    """All weights trained from shards for some epochs and deployed; the service is ended after the tests."""
    from finelake.training.driver import train

    folder = tmp_path_factory.mktemp("road")
    lines = publish_chats(folder / "published", **COUNTS)
    settings = streamed_settings(folder, tiny_model, write_chat_shards(spark, folder / "shards", lines))
    write_examples(spark, settings, lines)
    with ended(folder):
        outcome = train(spark, settings)
        yield Road(settings, outcome, folder / "hf" / "service" / "jobs" / outcome.job_id)
