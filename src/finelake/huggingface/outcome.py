"""How a process that works in a job's folder runs and ends: result.json says what came of it."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from finelake.errors import FinelakeError
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import JobError


class Recorded:
    """Writes an error that ends its block to result.json, and goes on behind the block."""

    def __init__(self, place: JobFolder) -> None:
        self._place = place
        self.ended = False

    def __enter__(self) -> Recorded:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Write what was raised, unless a result is there; what is no Exception (an interrupt) passes."""
        self.ended = error is None
        if not isinstance(error, Exception):
            return False
        if self._place.read_result() is None:
            self._place.write_result(failure(error))
        return True


def as_command(work: Callable[[Path], Mapping[str, Any]]) -> int:
    """Do the work of the folder that is the program's only argument and print its result; give the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if len(sys.argv) != 2:
        sys.stderr.write(f"usage: {Path(sys.argv[0]).name} FOLDER\n")
        return 2
    result = work(Path(sys.argv[1]))
    sys.stdout.write(json.dumps(result, sort_keys=True) + "\n")
    return 0 if result["status"] in ("succeeded", "stopped") else 1


def failure(error: Exception) -> dict[str, Any]:
    """Describe an error as a result; what is not finelake's own may quote data, so only its kind and place are told."""
    if isinstance(error, FinelakeError):
        code = error.code if isinstance(error, JobError) else type(error).__name__
        return {"status": "failed", "code": code, "message": str(error)}
    if os.environ.get("FINELAKE_TRACE"):
        traceback.print_exception(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {Path(last.filename).name}, line {last.lineno}"
    if type(error).__name__ == "OutOfMemoryError":
        message = f"{where}: the GPU's memory is full. Lower micro_batch or max_length, or set gradient_checkpointing."
        return {"status": "failed", "code": "out_of_memory", "message": message}
    message = f"Unexpected {where}. Run again with FINELAKE_TRACE=1 to see the trace (it may quote data)."
    return {"status": "failed", "code": "unexpected", "message": message}
