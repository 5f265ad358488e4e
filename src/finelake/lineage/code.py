"""Which code a run was done by."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import finelake
from finelake import __version__

_COUNTED = {".py", ".toml"}


def code_version() -> dict[str, str]:
    """Give the package's version and the fingerprint of its source, which changes with every edit."""
    return {"finelake": __version__, "fingerprint": _fingerprint()}


@cache
def _fingerprint() -> str:
    """Hash every module and phrase list of the package, by name and content: 16 hex digits."""
    root = Path(finelake.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in _COUNTED):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
