"""Uploading files once: the uploaded name carries the content's hash."""

from __future__ import annotations

from openai.types import FileObject

from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.training.data import DataFile
from finelake.training.patience import Patience
from finelake.training.progress import Progress

_UNUSABLE = {"error", "deleting", "deleted"}
_PROCESSING_SECONDS = 1800.0


def ensure_uploaded(
    service: FineTuningService, file: DataFile, *, name: str, patience: Patience, progress: Progress
) -> str:
    """Give the id of a processed file of this name and size, uploading it when there is none.

    Raises ServiceError when the service refuses or cannot process it.
    """

    def find() -> FileObject | None:
        return patience.ask(lambda: _find(service, file, name), action="listing uploaded files")

    def create() -> FileObject:
        progress.noted(f"uploading {file.path.name} ({file.bytes:,} bytes) as {name}")
        with file.path.open("rb") as stream:
            # The SDK would repeat an upload whose answer was lost, and leave two files.
            once = service.client.with_options(max_retries=0)
            return once.files.create(file=(name, stream), purpose="fine-tune")

    uploaded = patience.create_once(find=find, create=create, action=f"uploading {file.path.name}")
    progress.noted(f"file {uploaded.id} holds {file.path.name}")
    _wait_until_processed(service, uploaded.id, file=file, patience=patience)
    return uploaded.id


def _find(service: FineTuningService, file: DataFile, name: str) -> FileObject | None:
    for known in service.files():
        size = getattr(known, "bytes", None)
        if known.filename == name and size in {None, file.bytes} and str(known.status) not in _UNUSABLE:
            return known
    return None


def _wait_until_processed(service: FineTuningService, file_id: str, *, file: DataFile, patience: Patience) -> None:
    deadline = patience.clock.now() + _PROCESSING_SECONDS
    while True:
        found = patience.ask(lambda: service.client.files.retrieve(file_id), action=f"asking for {file_id}", fresh=True)
        status = str(found.status)
        if status == "processed":
            return
        if status in _UNUSABLE:
            raise ServiceError(
                f"The service could not use {file.path} (file {file_id}, status {status}): "
                f"{found.status_details or 'it gave no reason'}. Correct the data, curate and run the same again."
            )
        if patience.clock.now() > deadline:
            raise ServiceError(
                f"File {file_id} ({file.path.name}) is still {status} after {_PROCESSING_SECONDS / 60:.0f} minutes. "
                f"Run the same again later; the uploaded file is used again."
            )
        patience.clock.sleep(patience.pause)
