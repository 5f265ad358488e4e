"""progress.jsonl: one line a step, appended, never written twice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class ProgressFile:
    """Appends lines with a rising `step`; after a restart the steps that are there already are left as they are."""

    def __init__(self, path: Path) -> None:
        """Cut off a last line that a kill left torn, and read how far the file goes."""
        self._path = path
        lines = _mend(path)
        self._lines = {line["step"]: line for line in lines}
        self.last_step: int = max(self._lines, default=0)

    def at(self, step: int) -> dict[str, Any]:
        """Give the line of a step, empty where there is none."""
        return self._lines.get(step, {})

    def add(self, line: dict[str, Any]) -> None:
        """Append a line unless its step is there."""
        if line["step"] <= self.last_step:
            return
        with self._path.open("ab") as stream:
            stream.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._lines[line["step"]] = line
        self.last_step = line["step"]


def _mend(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as stream:
            stream.truncate(len(whole))
    return [json.loads(line) for line in whole.splitlines() if line.strip()]
