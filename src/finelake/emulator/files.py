"""Files: taken in whole, checked in the background, shown as ready after a while."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from finelake.emulator.chatfile import check_file
from finelake.emulator.clock import Clock
from finelake.emulator.errors import ApiError, invalid, not_found
from finelake.emulator.options import EmulatorOptions
from finelake.emulator.state import Store
from finelake.emulator.wire import Plane, new_id
from finelake.files import sha256_of

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_FILES = 100
MAX_TOTAL_BYTES = 1024**3
PURPOSES = {
    "azure": ("fine-tune", "assistants", "batch", "evals"),
    "openai": ("fine-tune", "assistants", "batch", "evals", "vision", "user_data"),
}
RESULTS = "fine-tune-results"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One stored file; `verdict` is processed, error or None while it is not checked."""

    seq: int
    id: str
    plane: Plane
    filename: str
    purpose: str
    bytes: int
    sha256: str
    created_at: float
    verdict: str | None
    details: str | None
    examples: int | None


class FileService:
    """Keep files of both planes in one folder, and what is known about them in the store."""

    def __init__(self, *, store: Store, clock: Clock, folder: Path, options: EmulatorOptions) -> None:
        self._store = store
        self._clock = clock
        self._folder = folder
        self._options = options
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob("*.part"):
            left_over.unlink()

    def path(self, file_id: str) -> Path:
        """Return where a file's bytes lie."""
        return self._folder / file_id

    def create(self, plane: Plane, *, filename: str, purpose: str, source: BinaryIO) -> FileRecord:
        """Store a file; 400 for a wrong purpose, name or size, or when the resource is full."""
        self.check_request(plane, filename=filename, purpose=purpose)
        part = self._folder / f"{secrets.token_hex(8)}.part"
        size, digest = _copy(source, part)
        if size == 0:
            part.unlink()
            raise invalid("The file is empty.", param="file")
        if size >= MAX_FILE_BYTES:
            part.unlink()
            raise invalid("The file size must be less than 512 MB.", param="file")
        return self._keep(plane, part, filename=filename, purpose=purpose, size=size, digest=digest)

    def link(self, plane: Plane, *, filename: str, purpose: str, path: Path) -> FileRecord:
        """Keep a file of this machine by a link (a copy on another disk); the limits on what is sent do not count.

        Who writes such files replaces them whole, as publishing does, so that a link keeps what it was made of.
        """
        self.check_request(plane, filename=filename, purpose=purpose)
        part = self._folder / f"{secrets.token_hex(8)}.part"
        try:
            os.link(path, part)
        except OSError:
            shutil.copyfile(path, part)
        return self._keep(
            plane,
            part,
            filename=filename,
            purpose=purpose,
            size=part.stat().st_size,
            digest=sha256_of(part),
            sent=False,
        )

    def check_request(self, plane: Plane, *, filename: str, purpose: str) -> None:
        """Raise 400 when a file of that name and purpose would not be taken."""
        if purpose not in PURPOSES[plane]:
            raise invalid(f"Invalid purpose '{purpose}'; allowed are {', '.join(PURPOSES[plane])}.", param="purpose")
        if purpose == "fine-tune" and not filename.endswith(".jsonl"):
            raise invalid("Files with purpose 'fine-tune' must have the extension .jsonl.", param="file")

    def add_result(self, plane: Plane, file_id: str, content: bytes) -> None:
        """Store a job's results.csv under an id that was given out before; doing it again changes nothing."""
        part = self._folder / f"{secrets.token_hex(8)}.part"
        part.write_bytes(content)
        part.replace(self.path(file_id))
        self._insert(plane, file_id, "results.csv", RESULTS, len(content), hashlib.sha256(content).hexdigest())
        self._store.write("UPDATE files SET verdict = 'processed' WHERE id = ?", (file_id,))

    def get(self, plane: Plane, file_id: str) -> FileRecord:
        """Return a file of a plane; 404 when there is none of that id."""
        row = self._store.row("SELECT * FROM files WHERE id = ? AND plane = ?", (file_id, plane))
        if row is None:
            raise not_found(f"No such File object: {file_id}")
        return FileRecord(**dict(row))

    def every(self, plane: Plane, *, purpose: str | None = None) -> list[FileRecord]:
        """Return the files of a plane, newest first."""
        rows = self._store.rows("SELECT * FROM files WHERE plane = ? ORDER BY seq DESC", (plane,))
        found = [FileRecord(**dict(row)) for row in rows]
        return [record for record in found if purpose in (None, record.purpose)]

    def delete(self, plane: Plane, file_id: str) -> None:
        """Remove a file; jobs that used it keep what they learn from."""
        record = self.get(plane, file_id)
        self._store.write("DELETE FROM files WHERE id = ?", (record.id,))
        self.path(record.id).unlink(missing_ok=True)

    def status(self, record: FileRecord) -> str:
        """Return a file's status now: Azure pending, running; OpenAI uploaded; then processed or error."""
        age = self._clock.now() - record.created_at
        if record.purpose == RESULTS or (record.verdict is not None and age >= self._options.file_seconds):
            return record.verdict or "running"
        if record.plane == "openai":
            return "uploaded"
        return "pending" if age < self._options.file_seconds / 2 else "running"

    def check_waiting(self) -> None:
        """Check the files that have no verdict yet; called again and again by the background thread."""
        for row in self._store.rows("SELECT id, purpose FROM files WHERE verdict IS NULL ORDER BY seq"):
            if row["purpose"] != "fine-tune":
                self._store.write("UPDATE files SET verdict = 'processed' WHERE id = ?", (row["id"],))
                continue
            try:
                verdict = check_file(self.path(row["id"]))
            except FileNotFoundError:
                continue
            logger.info("file %s: %d examples read", row["id"], verdict.examples)
            self._store.write(
                "UPDATE files SET verdict = ?, details = ?, examples = ? WHERE id = ?",
                ("error" if verdict.problem else "processed", verdict.problem, verdict.examples, row["id"]),
            )

    def _keep(
        self, plane: Plane, part: Path, *, filename: str, purpose: str, size: int, digest: str, sent: bool = True
    ) -> FileRecord:
        file_id = new_id("file-", plane)
        with self._store.transaction():
            if plane == "azure" and sent:
                self._check_quota(size, part)
            os.replace(part, self.path(file_id))
            self._insert(plane, file_id, filename, purpose, size, digest)
        return self.get(plane, file_id)

    def _check_quota(self, size: int, part: Path) -> None:
        row = self._store.row("SELECT COUNT(*) AS n, COALESCE(SUM(bytes), 0) AS b FROM files WHERE plane = 'azure'")
        if row is not None and (row["n"] >= MAX_FILES or row["b"] + size > MAX_TOTAL_BYTES):
            part.unlink()
            raise ApiError(
                400,
                "quotaExceeded",
                f"The resource holds {row['n']} files of {row['b']} bytes; allowed are {MAX_FILES} files and "
                f"{MAX_TOTAL_BYTES} bytes in all. Delete files that are no longer needed.",
            )

    def _insert(self, plane: Plane, file_id: str, filename: str, purpose: str, size: int, digest: str) -> None:
        self._store.write(
            "INSERT OR IGNORE INTO files (id, plane, filename, purpose, bytes, sha256, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (file_id, plane, filename, purpose, size, digest, self._clock.now()),
        )


def _copy(source: BinaryIO, target: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        while size < MAX_FILE_BYTES and (chunk := source.read(_CHUNK)):
            out.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
