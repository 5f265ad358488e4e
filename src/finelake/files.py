"""What several steps do with plain files."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from finelake.config.source import VOLUMES
from finelake.errors import OutputError


def sha256_of(path: Path) -> str:
    """Give the SHA-256 (hex) of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_whole(file: Path, text: str) -> None:
    """Write a UTF-8 text beside its place and rename it, so that the file is whole or absent; makes the folder.

    Into a Volume it is written elsewhere and copied once: a Volume takes a file from its beginning to its end, and
    shows it when it is closed. Raises OutputError when that cannot be done.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if in_volume(file):
            _copy_into_volume(file, text)
            return
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        unfinished.replace(file)
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {error.strerror}. {_remedy(error.errno)}") from None
    finally:
        if unfinished.parent.is_dir():
            unfinished.unlink(missing_ok=True)


def in_volume(file: Path) -> bool:
    """Tell whether a file is in a Volume of Databricks."""
    return file.is_relative_to(VOLUMES)


def _copy_into_volume(file: Path, text: str) -> None:
    with tempfile.TemporaryDirectory(prefix="finelake-") as staging:
        staged = Path(staging) / file.name
        staged.write_text(text, encoding="utf-8", newline="\n")
        shutil.copyfile(staged, file)


def _remedy(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "Free space there and run the same again."
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Grant write access there or name another folder."
    return "Name a folder that is free or may be replaced."
