"""Effect: a file that the service fetches itself from blob storage (Azure's `files/import`), for large files.

If the process dies after the request, the next start finds the file by the hash in its name. What the service
fetched is read back and compared with the published file, for nothing else says that they are the same.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit, urlunsplit

from openai.types import FileObject

from finelake.errors import ConfigError, InputError
from finelake.services.base import FineTuningService
from finelake.training.data import DataFile
from finelake.training.patience import Patience

_LOOKS = 3


def content_url(base: str, filename: str) -> str:
    """Give a file's address below `base`, whose query (a signature) stays. Raises ConfigError for no web address."""
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            "training.import_from: the secret holds no web address. Put the address of the folder of the published "
            "files there, with its signature: https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER?sv=..."
        )
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{filename}"))


def import_from(service: FineTuningService, base: str, *, file: DataFile, name: str) -> FileObject:
    """Ask the service, once, to fetch a published file from below `base` and keep it as `name`."""
    return import_at(service, content_url(base, file.path.name), name=name)


def import_at(service: FineTuningService, address: str, *, name: str) -> FileObject:
    """Ask the service, once, to fetch what is at an address and keep it as `name`."""
    body = {"content_url": address, "filename": name, "purpose": "fine-tune"}
    client = service.parts_client
    return service.contact.readable(lambda: client.post("/files/import", cast_to=FileObject, body=body), needs="id")


def verify(service: FineTuningService, file_id: str, *, file: DataFile, patience: Patience) -> None:
    """Read a file back from the service. Raises InputError when it is not the published one."""
    for look in range(_LOOKS):
        content = patience.ask(
            lambda: service.client.files.content(file_id).read(), action=f"reading file {file_id} back", fresh=True
        )
        if hashlib.sha256(content).hexdigest() == file.sha256:
            return
        if look + 1 < _LOOKS:
            patience.clock.sleep(patience.pause)
    raise InputError(
        f"What the service fetched for {file.path.name} is not the published file: found {len(content):,} bytes "
        f"of other content. Copy the published files to the address in training.import_from, delete file "
        f"{file_id} at the service, and run the same again."
    )
