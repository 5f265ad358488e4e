"""Effect: a large file in parts (the Uploads API), which goes on after a kill with the parts that arrived.

If the process dies between two parts, the next start goes on behind the last part whose answer was recorded; a part
that arrived without one is left out when the upload is completed. An upload lives an hour at the service; one that
is older, or that the service does not know any more, is begun anew. Only `complete` makes a file.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import openai
from openai.types import FileObject

from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.services.contact import PassingError
from finelake.training.data import DataFile
from finelake.training.effects.log import EffectLog
from finelake.training.patience import Patience, Tries
from finelake.training.progress import Progress

PARTS = "parts"
_LIFE_SECONDS = 3600.0
_MARGIN_SECONDS = 120.0
_BEGINNINGS = 3
_CHUNK = 1024 * 1024


class Parts:
    """The upload of one file in parts; what arrived is in the log of the file; the run's lease is kept."""

    def __init__(
        self,
        service: FineTuningService,
        file: DataFile,
        *,
        name: str,
        part_bytes: int,
        log: EffectLog,
        run_log: EffectLog,
        patience: Patience,
    ) -> None:
        self._service = service
        self._file = file
        self._name = name
        self._part_bytes = part_bytes
        self._log = log
        self._run_log = run_log
        self._patience = patience

    def complete(self, progress: Progress) -> FileObject:
        """Bring the parts that are missing, then ask for the file, once. Raises what the service says."""
        for _ in range(_BEGINNINGS):
            state = self._state() or self._begin()
            try:
                state = self._bring(state, progress)
                break
            except (openai.BadRequestError, openai.NotFoundError):
                # The upload has expired, or was cancelled.
                self._log.record_result(PARTS, {})
        else:
            raise ServiceError(
                f"The service gave up the upload of {self._file.path.name} {_BEGINNINGS} times before it was complete. "
                f"Run the same again later, or set training.parts_above_megabytes higher to send it in one piece."
            )
        self._log.fence()
        try:
            answer = self._service.contact.readable(
                lambda: self._service.parts_client.uploads.complete(
                    state["upload_id"], part_ids=state["parts"], md5=_md5(self._file)
                ),
                needs="file",
            )
        except (openai.BadRequestError, openai.NotFoundError) as error:
            # Expired, or completed by a request whose answer was lost: the file is looked for before anything else.
            self._log.record_result(PARTS, {})
            raise PassingError(str(self._service.contact.explain(error, "completing the upload"))) from None
        if answer.file is None:
            raise ServiceError(f"The service completed upload {answer.id} without a file. Run the same again.")
        return answer.file

    def _state(self) -> dict[str, Any] | None:
        state = self._log.result(PARTS)
        if not state or state["part_bytes"] != self._part_bytes:
            return None
        age = self._patience.clock.wall() - state["began"]
        return state if 0 <= age < state["life"] - _MARGIN_SECONDS else None

    def _begin(self) -> dict[str, Any]:
        """Begin an upload. One whose answer was lost costs nothing and expires by itself."""

        def begin() -> Any:
            return self._service.contact.readable(
                lambda: self._service.parts_client.uploads.create(
                    bytes=self._file.bytes, filename=self._name, mime_type="application/jsonl", purpose="fine-tune"
                ),
                needs="id",
            )

        upload = self._patience.ask(begin, action=f"beginning the upload of {self._file.path.name}")
        life = (getattr(upload, "expires_at", None) or 0) - (getattr(upload, "created_at", None) or 0)
        state = {
            "upload_id": upload.id,
            "began": self._patience.clock.wall(),
            "life": float(life) if life > 0 else _LIFE_SECONDS,
            "part_bytes": self._part_bytes,
            "parts": [],
        }
        self._log.record_result(PARTS, state)
        return state

    def _bring(self, state: dict[str, Any], progress: Progress) -> dict[str, Any]:
        count = math.ceil(self._file.bytes / self._part_bytes)
        for number in range(len(state["parts"]), count):
            self._run_log.keep()
            self._log.fence()
            part_id = self._send(state["upload_id"], number)
            state = {**state, "parts": [*state["parts"], part_id]}
            self._log.record_result(PARTS, state)
            progress.noted(f"part {number + 1} of {count} of {self._file.path.name} is there")
        return state

    def _send(self, upload_id: str, number: int) -> str:
        with self._file.path.open("rb") as stream:
            stream.seek(number * self._part_bytes)
            content = stream.read(self._part_bytes)

        def send() -> Any:
            return self._service.contact.readable(
                lambda: self._service.parts_client.uploads.parts.create(upload_id, data=content), needs="id"
            )

        tries = Tries(self._patience)
        while True:
            try:
                return str(send().id)
            except (openai.BadRequestError, openai.NotFoundError):
                raise
            except (openai.APIError, ServiceError) as error:
                wait = tries.wait(error)
                if wait is None or tries.failed > _MOST_TRIES:
                    raise
                self._patience.clock.sleep(wait)


_MOST_TRIES = 20


def _md5(file: DataFile) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with file.path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
