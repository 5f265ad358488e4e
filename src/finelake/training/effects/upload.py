"""Effect: a file at the service, once for each content. Its name there carries the content's hash.

If the process dies before the request: nothing is there, and the next start uploads. After it: the next start finds
the file by hash and size. Two runs that need the same file at once wait for each other, by a lease on the hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from openai.types import FileObject

from finelake.config.settings import Training
from finelake.errors import RunBusyError, ServiceError
from finelake.services.base import FineTuningService
from finelake.services.credentials import resolve
from finelake.training.data import DataFile
from finelake.training.effects.imports import import_at, import_from, verify
from finelake.training.effects.log import EffectLog
from finelake.training.effects.parts import Parts
from finelake.training.effects.perform import Effect, perform
from finelake.training.patience import OUTAGE_SECONDS, Patience
from finelake.training.progress import Progress

_UNUSABLE = {"error", "deleting", "deleted"}
_PROCESSING_SECONDS = 1800.0
_FILE = "file"


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadPlan:
    """How files travel: in one request, from `parts_above` bytes on in parts, or fetched by the service itself.

    `import_base` is an address (with a signature, so a secret) that the service reads `FILE` below.
    """

    parts_above: int
    part_bytes: int
    import_base: str | None = None

    @classmethod
    def of(cls, training: Training) -> UploadPlan:
        """Read the plan from the settings. Raises ConfigError when the import address's secret is not there."""
        base = training.import_from
        return cls(
            parts_above=training.parts_above_megabytes * 2**20,
            part_bytes=training.part_megabytes * 2**20,
            import_base=None if base is None else resolve(base, setting="training.import_from"),
        )

    def way(self, file: DataFile) -> Literal["post", "parts", "import"]:
        """Choose the way of one file."""
        if self.import_base is not None:
            return "import"
        return "parts" if file.bytes > self.parts_above else "post"


def ensure_uploaded(
    service: FineTuningService,
    file: DataFile,
    *,
    name: str,
    plan: UploadPlan,
    run_log: EffectLog,
    file_log: EffectLog,
    patience: Patience,
    progress: Progress,
) -> str:
    """Give the id of a processed file of this content, bringing it there when there is none.

    Raises ServiceError when the service refuses or cannot process it.
    """

    def find() -> FileObject | None:
        return patience.ask(lambda: _find(service, file), action="listing uploaded files")

    uploaded = find()
    if uploaded is None:
        uploaded = _upload_alone(
            service, file, name, plan=plan, logs=(run_log, file_log), find=find, patience=patience, progress=progress
        )
    progress.noted(f"file {uploaded.id} holds {file.path.name}")
    _wait_until_processed(service, uploaded.id, file=file, patience=patience)
    if plan.way(file) == "import":
        verify(service, uploaded.id, file=file, patience=patience)
    return uploaded.id


def _upload_alone(
    service: FineTuningService,
    file: DataFile,
    name: str,
    *,
    plan: UploadPlan,
    logs: tuple[EffectLog, EffectLog],
    find: Callable[[], FileObject | None],
    patience: Patience,
    progress: Progress,
) -> FileObject:
    """Upload under a lease on the content, or wait for the run that holds it."""
    run_log, file_log = logs
    found = _acquire(file_log, find=find, patience=patience, progress=progress)
    if found is not None:
        return found
    kept = patience.keeping(file_log.keep, every=file_log.lease_seconds / 3)
    progress.noted(f"uploading {file.path.name} ({file.bytes:,} bytes) as {name}")
    try:
        act = _act(service, file, name, plan=plan, logs=logs, patience=kept, progress=progress)

        def guarded() -> FileObject:
            run_log.fence()
            return act()

        asked = {"name": name, "sha256": file.sha256, "bytes": file.bytes, "way": plan.way(file)}
        effect = Effect(_FILE, asked, find=find, act=guarded, action=f"uploading {file.path.name}")
        return perform(effect, log=file_log, patience=kept)
    finally:
        file_log.release()


def _acquire(
    log: EffectLog, *, find: Callable[[], FileObject | None], patience: Patience, progress: Progress
) -> FileObject | None:
    began = patience.clock.now()
    while True:
        try:
            log.acquire()
        except RunBusyError:
            if patience.clock.now() - began > OUTAGE_SECONDS:
                raise
            progress.noted("another run uploads the same file; waiting for it")
            patience.clock.sleep(patience.pause)
            found = find()
            if found is not None:
                return found
        else:
            return None


def _act(
    service: FineTuningService,
    file: DataFile,
    name: str,
    *,
    plan: UploadPlan,
    logs: tuple[EffectLog, EffectLog],
    patience: Patience,
    progress: Progress,
) -> Callable[[], FileObject]:
    run_log, log = logs
    address = service.address_of(file.path)
    if address is not None:
        return lambda: import_at(service, address, name=name)
    if plan.import_base is not None:
        base = plan.import_base
        return lambda: import_from(service, base, file=file, name=name)
    if plan.way(file) == "parts":
        parts = Parts(service, file, name=name, part_bytes=plan.part_bytes, log=log, run_log=run_log, patience=patience)
        return lambda: parts.complete(progress)
    return lambda: _post(service, file, name)


def _post(service: FineTuningService, file: DataFile, name: str) -> FileObject:
    with file.path.open("rb") as stream:
        return service.contact.readable(
            lambda: service.client.files.create(file=(name, stream), purpose="fine-tune"), needs="id"
        )


def holds(known: FileObject, file: DataFile) -> bool:
    """Tell whether a file at the service has this content, by the hash in its name and its size, and can be used."""
    size = getattr(known, "bytes", None)
    name, status = str(getattr(known, "filename", "")), str(getattr(known, "status", ""))
    return name.endswith(f"-{file.sha256[:16]}.jsonl") and size in {None, 0, file.bytes} and status not in _UNUSABLE


def _find(service: FineTuningService, file: DataFile) -> FileObject | None:
    return next((known for known in service.files() if holds(known, file)), None)


def _wait_until_processed(service: FineTuningService, file_id: str, *, file: DataFile, patience: Patience) -> None:
    deadline = patience.clock.now() + _PROCESSING_SECONDS
    while True:
        found = patience.ask(lambda: service.file(file_id), action=f"asking for {file_id}", fresh=True)
        status = str(getattr(found, "status", "unknown"))
        if status == "processed":
            return
        if status in _UNUSABLE:
            raise ServiceError(
                f"The service could not use {file.path} (file {file_id}, status {status}): "
                f"{getattr(found, 'status_details', None) or 'it gave no reason'}. Correct the data, curate and run "
                f"the same again."
            )
        if patience.clock.now() > deadline:
            raise ServiceError(
                f"File {file_id} ({file.path.name}) is still {status} after {_PROCESSING_SECONDS / 60:.0f} minutes. "
                f"Run the same again later; the uploaded file is used again."
            )
        patience.clock.sleep(patience.pause)
