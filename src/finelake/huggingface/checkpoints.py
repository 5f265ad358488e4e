"""Checkpoints that survive a kill: copied beside their place, hashed, renamed; read back only where the hashes fit."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

from finelake.errors import OutputError
from finelake.files import sha256_of, write_whole

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
_NAME = re.compile(r"\Astep-(\d+)\Z")


def seal(source: Path, checkpoints: Path, *, step: int, facts: dict[str, Any]) -> Path:
    """Move a folder to `checkpoints/step-N` with a manifest of every file's SHA-256; returns where it is.

    The folder appears under its name when it is whole. Raises OutputError when it cannot be written.
    """
    target, partial = checkpoints / f"step-{step}", checkpoints / f".step-{step}.partial"
    try:
        checkpoints.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.move(source, partial)
        write_manifest(partial, step=step, facts=facts)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror}). Free space or grant write access.") from None
    return target


def write_manifest(folder: Path, *, step: int, facts: dict[str, Any]) -> None:
    """Write a folder's manifest: step, facts, and each file with its bytes and SHA-256."""
    files = sorted(item for item in folder.rglob("*") if item.is_file() and item.name != MANIFEST)
    listed = {
        item.relative_to(folder).as_posix(): {"bytes": item.stat().st_size, "sha256": sha256_of(item)} for item in files
    }
    content = {"step": step, **facts, "files": listed}
    write_whole(folder / MANIFEST, json.dumps(content, indent=2, sort_keys=True) + "\n")


def whole(folder: Path) -> dict[str, Any] | None:
    """Give a folder's manifest where every file is as it says, else None."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for name, item in manifest["files"].items():
            file = folder / name
            if file.stat().st_size != item["bytes"] or sha256_of(file) != item["sha256"]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest


def steps_of(checkpoints: Path) -> list[int]:
    """List the steps that have a folder, the last first."""
    found = (_NAME.match(item.name) for item in checkpoints.iterdir()) if checkpoints.is_dir() else ()
    return sorted((int(match[1]) for match in found if match), reverse=True)


def last_whole(checkpoints: Path) -> Path | None:
    """Give the last checkpoint that is whole; damaged ones are told in the log and passed over."""
    for step in steps_of(checkpoints):
        folder = checkpoints / f"step-{step}"
        if whole(folder) is not None:
            return folder
        logger.warning("Checkpoint %s is damaged or not whole, and is passed over.", folder)
    return None


def prune(checkpoints: Path, *, keep: int) -> None:
    """Remove all but the last `keep` checkpoints, and what unfinished ones left."""
    for step in steps_of(checkpoints)[keep:]:
        shutil.rmtree(checkpoints / f"step-{step}", ignore_errors=True)
    for item in checkpoints.glob(".step-*.partial"):
        shutil.rmtree(item, ignore_errors=True)


def weights_hash(folder: Path) -> str:
    """Give one SHA-256 (hex) over the weights of a model folder, file by file in the order of their names."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
