"""A journal in a folder, one file an entry, for drivers without Spark; it can kill its process as a crash would."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from finelake.tables.journal import Entry


class FileJournal:
    """The entries of one run below a folder; linking a file under its number is the compare-and-set."""

    def __init__(self, folder: Path, *, run_id: str, moment: Callable[[str], None]) -> None:
        self._folder = folder / run_id
        self._folder.mkdir(parents=True, exist_ok=True)
        self._run_id = run_id
        self._moment = moment

    @property
    def run_id(self) -> str:
        """The run whose entries these are."""
        return self._run_id

    def read(self) -> list[Entry]:
        """Give all entries in the order of their numbers."""
        return [_read(path) for path in sorted(self._folder.glob("*.json"))]

    def append(self, entry: Entry) -> bool:
        """Write an entry; False when another holder wrote one of this number."""
        self._moment("before")
        place = self._folder / f"{entry.sequence:06d}.json"
        part = self._folder / f"{secrets.token_hex(8)}.part"
        part.write_text(json.dumps(asdict(entry), default=str), encoding="utf-8")
        try:
            os.link(part, place)
        except FileExistsError:
            return _read(place).holder == entry.holder
        finally:
            part.unlink()
        self._moment("after")
        return True


class Moments:
    """Kills this process at the n-th append, before or after it is on disk."""

    def __init__(self, at: tuple[int, str] | None) -> None:
        self._at = at
        self._appends = 0

    def __call__(self, moment: str) -> None:
        """Count, and end the process when the moment has come."""
        self._appends += moment == "before"
        if self._at == (self._appends, moment):
            os.kill(os.getpid(), signal.SIGKILL)


def _read(path: Path) -> Entry:
    values = json.loads(path.read_text(encoding="utf-8"))
    return Entry(**{**values, "recorded_at": datetime.fromisoformat(values["recorded_at"])})
