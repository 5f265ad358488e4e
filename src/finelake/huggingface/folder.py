"""The folder of a training job: what lies where, and writing to it so that a kill leaves nothing half."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finelake.errors import RunBusyError
from finelake.files import write_whole

logger = logging.getLogger(__name__)


class JobFolder:
    """Names the files of a job; `work` is scratch, everything else is for whoever watches."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job = path / "job.json"
        self.progress = path / "progress.jsonl"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.result = path / "result.json"
        self.stop = path / "stop"
        self.census = path / "data.json"
        self.dropped = path / "dropped.jsonl"
        self.work = path / "work"

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write result.json in one step, as the last thing a process does."""
        write_whole(self.result, json.dumps(result, indent=2, sort_keys=True, ensure_ascii=False) + "\n")

    def read_result(self) -> dict[str, Any] | None:
        """Read result.json, None where the job has not ended."""
        if not self.result.exists():
            return None
        loaded: dict[str, Any] = json.loads(self.result.read_text(encoding="utf-8"))
        return loaded

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes off the folder; raises RunBusyError where one works on it.

        A file system without locks (some network mounts) is used without.
        """
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunBusyError(
                    f"Another process trains in {self.path}. Wait for its result.json, or end it first."
                ) from None
            except OSError as error:
                logger.warning(
                    "%s cannot be locked (%s); start one process only.", self.path, os.strerror(error.errno or 0)
                )
            yield
