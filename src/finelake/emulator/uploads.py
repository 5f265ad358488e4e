"""Uploads in parts: parts come in any order, and become one file in the order named at the end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from finelake.emulator.clock import Clock
from finelake.emulator.errors import ApiError, invalid, not_found
from finelake.emulator.files import FileRecord, FileService
from finelake.emulator.state import Store
from finelake.emulator.wire import Json, Plane, new_id

LIFE_SECONDS = 3600.0
MAX_PART_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """One upload; status is pending, completed or cancelled."""

    id: str
    plane: Plane
    filename: str
    purpose: str
    bytes: int
    created_at: float
    status: str
    file_id: str | None


class UploadService:
    """Collect parts on disk until the upload is completed, cancelled or an hour old."""

    def __init__(self, *, store: Store, clock: Clock, files: FileService, folder: Path) -> None:
        self._store = store
        self._clock = clock
        self._files = files
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def create(self, plane: Plane, body: Json) -> UploadRecord:
        """Begin an upload; 400 when name, purpose or size would not be taken."""
        filename, purpose, size = body.get("filename"), body.get("purpose"), body.get("bytes")
        if not isinstance(filename, str) or not isinstance(purpose, str) or not isinstance(body.get("mime_type"), str):
            raise invalid("An upload needs filename, purpose and mime_type as strings.")
        if not isinstance(size, int) or size <= 0:
            raise invalid("An upload needs bytes, the size of the whole file, above 0.", param="bytes")
        self._files.check_request(plane, filename=filename, purpose=purpose)
        upload_id = new_id("upload_", plane)
        self._store.write(
            "INSERT INTO uploads (id, plane, filename, purpose, bytes, created_at, status)"
            " VALUES (?, ?, ?, ?, ?, ?, 'pending')",
            (upload_id, plane, filename, purpose, size, self._clock.now()),
        )
        return self.get(plane, upload_id)

    def get(self, plane: Plane, upload_id: str) -> UploadRecord:
        """Return an upload; 404 when there is none of that id."""
        row = self._store.row("SELECT * FROM uploads WHERE id = ? AND plane = ?", (upload_id, plane))
        if row is None:
            raise not_found(f"No such Upload object: {upload_id}")
        return UploadRecord(**dict(row))

    def add_part(self, plane: Plane, upload_id: str, source: BinaryIO) -> str:
        """Store a part and return its id."""
        upload = self._pending(plane, upload_id)
        part_id = new_id("part_", plane)
        content = source.read(MAX_PART_BYTES + 1)
        if not content or len(content) > MAX_PART_BYTES:
            raise invalid("A part must have from 1 byte to 64 MB.", param="data")
        (self._folder / part_id).write_bytes(content)
        self._store.write("INSERT INTO parts VALUES (?, ?, ?)", (part_id, upload.id, len(content)))
        return part_id

    def complete(self, plane: Plane, upload_id: str, body: Json) -> FileRecord:
        """Join the parts in the order given into one file; 400 when parts, size or md5 do not fit."""
        upload = self._pending(plane, upload_id)
        joined = self._folder / f"{upload.id}.joined"
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with joined.open("wb") as out:
                for part_id in self._ordered_parts(upload, body.get("part_ids")):
                    content = (self._folder / part_id).read_bytes()
                    digest.update(content)
                    out.write(content)
            if body.get("md5") not in (None, digest.hexdigest()):
                raise invalid("The md5 of the joined parts is not the one given.", param="md5")
            with joined.open("rb") as source, self._store.transaction():
                record = self._files.create(plane, filename=upload.filename, purpose=upload.purpose, source=source)
                self._store.write(
                    "UPDATE uploads SET status = 'completed', file_id = ? WHERE id = ?", (record.id, upload.id)
                )
        finally:
            joined.unlink(missing_ok=True)
        self._drop_parts(upload)
        return record

    def cancel(self, plane: Plane, upload_id: str) -> UploadRecord:
        """End an upload without a file."""
        upload = self._pending(plane, upload_id)
        self._store.write("UPDATE uploads SET status = 'cancelled' WHERE id = ?", (upload.id,))
        self._drop_parts(upload)
        return self.get(plane, upload_id)

    def status(self, upload: UploadRecord) -> str:
        """Return an upload's status now: pending uploads expire after an hour."""
        expired = upload.status == "pending" and self._clock.now() >= upload.created_at + LIFE_SECONDS
        return "expired" if expired else upload.status

    def _pending(self, plane: Plane, upload_id: str) -> UploadRecord:
        upload = self.get(plane, upload_id)
        if self.status(upload) != "pending":
            raise ApiError(400, "unexpectedEntityState", f"The upload is {self.status(upload)}, not pending.")
        return upload

    def _ordered_parts(self, upload: UploadRecord, wanted: object) -> list[str]:
        """Give the parts that were asked for; parts that nobody names are left out."""
        rows = self._store.rows("SELECT id, bytes FROM parts WHERE upload_id = ?", (upload.id,))
        sizes = {str(row["id"]): int(row["bytes"]) for row in rows}
        if not isinstance(wanted, list) or len(set(wanted)) != len(wanted) or not set(wanted) <= set(sizes):
            raise invalid("part_ids must name parts of the upload, each once.", param="part_ids")
        chosen = sum(sizes[part] for part in wanted)
        if chosen != upload.bytes:
            raise invalid(
                f"The parts of part_ids have {chosen} bytes, the upload said {upload.bytes}.", param="part_ids"
            )
        return [str(part) for part in wanted]

    def _drop_parts(self, upload: UploadRecord) -> None:
        for row in self._store.rows("SELECT id FROM parts WHERE upload_id = ?", (upload.id,)):
            (self._folder / row["id"]).unlink(missing_ok=True)
        self._store.write("DELETE FROM parts WHERE upload_id = ?", (upload.id,))
