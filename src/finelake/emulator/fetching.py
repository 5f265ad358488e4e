"""Fetching a file that a client wants imported. Only from this machine: a rehearsal leaves it alone otherwise."""

from __future__ import annotations

import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from finelake.emulator.errors import ApiError

_LOOPBACK = {"127.0.0.1", "localhost"}
_SECONDS = 30.0
_CHUNK = 1024 * 1024


def local_path(address: str) -> Path | None:
    """Give the path of a file address; None for another address. Raises ApiError 400 when no file is there."""
    parts = urlsplit(address)
    if parts.scheme != "file":
        return None
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_file():
        raise ApiError(400, "fileImportFailed", "The content_url names no file of this machine.")
    return path


@contextmanager
def fetched(address: str) -> Iterator[BinaryIO]:
    """Give the content at an http address of this machine. Raises ApiError 400 when it cannot be fetched."""
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        raise ApiError(400, "fileImportFailed", "The rehearsal imports from http addresses of this machine only.")
    with tempfile.TemporaryFile() as content:
        try:
            with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
                while chunk := answer.read(_CHUNK):
                    content.write(chunk)
        except (urllib.error.URLError, OSError) as error:
            raise ApiError(
                400, "fileImportFailed", f"The content_url cannot be read ({type(error).__name__})."
            ) from None
        content.seek(0)
        yield cast("BinaryIO", content)
