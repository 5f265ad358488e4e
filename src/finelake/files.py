"""What several steps do with plain files."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from finelake.errors import OutputError


def sha256_of(path: Path) -> str:
    """Give the SHA-256 (hex) of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_whole(file: Path, text: str) -> None:
    """Write a UTF-8 text beside its place and rename it, so that the file is whole or absent; makes the folder.

    Raises OutputError when that cannot be done.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        unfinished.replace(file)
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {error.strerror}. {_remedy(error.errno)}") from None
    finally:
        if unfinished.parent.is_dir():
            unfinished.unlink(missing_ok=True)


def _remedy(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "Free space there and run the same again."
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Grant write access there or name another folder."
    return "Name a folder that is free or may be replaced."
