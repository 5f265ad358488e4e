"""The curated sample that many tests read: written, loaded and curated once a run, with the demo's own settings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from finelake.config.loading import load_settings
from finelake.curate import curate
from finelake.ingest import ingest
from finelake.sample import write_sample
from finelake.sample.plan import smallest_sample
from finelake.tables.names import source_ref
from support.lake import Demo, read_json_lines

CONFIGURATION = Path(__file__).resolve().parents[2] / "conf" / "local.yml"


class Lines(logging.Handler):
    """Keep every log line, as it would be printed."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture(scope="session")
def demo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The smallest sample that holds every planted defect, curated by conf/local.yml."""
    folder = tmp_path_factory.mktemp("demo")
    files = write_sample(folder / "sample", seed=11, conversations=smallest_sample())
    settings = load_settings(CONFIGURATION, environment={"FINELAKE_DEMO": str(folder)})
    ingested = ingest(spark, str(files.raw_turns), source_ref(settings.source.table))
    return Demo(
        settings=settings,
        files=files,
        truth=read_json_lines(files.truth),
        ingested=ingested,
        curation=curate(spark, settings),
    )


@pytest.fixture(scope="module")
def log_lines() -> Iterator[list[str]]:
    """Every log line of the package while a module's tests run."""
    lines, logger = Lines(), logging.getLogger("finelake")
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.DEBUG)
    yield lines.texts
    logger.removeHandler(lines)
    logger.setLevel(level)
