"""The run that the steps of a curation share: its settings and table versions, and how it writes and keeps frames."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession

from finelake.config.models import ModelCatalogue
from finelake.config.settings import Settings
from finelake.curation.progress import Increment
from finelake.erasure.requests import Erasures
from finelake.logs import bound
from finelake.tables import names
from finelake.tables.contracts import checked
from finelake.tables.local import local_frame
from finelake.tables.names import TableRef, table_ref
from finelake.tables.reading import read_table
from finelake.tables.together import at_once
from finelake.tables.writing import overwrite

logger = logging.getLogger(__name__)

HELD_ROWS, HELD_BYTES = 50_000, 16_000_000
"""The most of a frame that `CurationRun.keep` holds on the driver."""
HELD_SOURCE_ROWS = 1_000_000
"""Above so many raw rows nothing is held: a frame that turns out too large is worked out a second time."""


class CurationObserver(Protocol):
    """Told when a step begins and when it has ended."""

    def step_started(self, step: str) -> None: ...

    def step_finished(self, step: str, seconds: float) -> None: ...


@dataclass(slots=True)
class CurationRun:
    """What the steps of one curation share."""

    spark: SparkSession
    settings: Settings
    catalogue: ModelCatalogue
    source: TableRef
    version: int
    run_id: str
    observer: CurationObserver | None
    evaluation: dict[str, str]
    erasures: Erasures
    rows_in: int = 0
    increment: Increment | None = None
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if self.observer:
            self.observer.step_started(name)
        start = time.monotonic()
        with bound(run=self.run_id, step=name):
            yield
            self.seconds[name] = round(time.monotonic() - start, 3)
            logger.info("curate run=%s step=%s seconds=%.1f", self.run_id, name, self.seconds[name])
        if self.observer:
            self.observer.step_finished(name, self.seconds[name])

    def table(self, name: str) -> TableRef:
        """Refer to one of finelake's tables."""
        return table_ref(self.settings.tables, name)

    def write(self, name: str, frame: DataFrame) -> DataFrame:
        """Write one of finelake's tables and read back what was written, both against its contract."""
        table = self.table(name)
        version = overwrite(checked(frame, name), table, run_id=self.run_id)
        self.written[name] = {"table": str(table), "version": version}
        return checked(read_table(self.spark, table, version=version), name)

    def keep(self, frame: DataFrame) -> DataFrame:
        """Work out a frame that is needed only within this run, and give what reads it.

        A small one of a small source is held on the driver, where it saves a commit and a scan of Delta's log in each
        plan; any other is written as a version of a table of its own.
        """
        if self.rows_in <= HELD_SOURCE_ROWS:
            found = frame.limit(HELD_ROWS + 1).toArrow()
            if found.num_rows <= HELD_ROWS and found.get_total_buffer_size() <= HELD_BYTES:
                return local_frame(self.spark, found, frame.schema)
        table = self.table(names.GRAPH)
        return read_table(self.spark, table, version=overwrite(frame, table, run_id=self.run_id))

    def write_all(self, frames: Mapping[str, DataFrame]) -> list[DataFrame]:
        """Write several tables side by side and read them back, in order; see `write`."""
        return at_once([partial(self.write, name, frame) for name, frame in frames.items()])
