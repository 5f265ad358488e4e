"""Removing the files that may quote conversations: on this machine, and in a Volume that is not mounted here."""

from __future__ import annotations

import shutil
from pathlib import Path

from finelake.config.settings import Output, Settings
from finelake.databricks.volumes import VolumeMirror
from finelake.databricks.workspace import workspace_client
from finelake.erasure.places import PUBLISHED, SHARDS, Quoting
from finelake.tables.writing import explained


def remove_files(settings: Settings) -> list[str]:
    """Remove what may quote conversations from the output folder and that of the shards; gives the files.

    Curation, report, evaluation and `finelake shards` make them anew. Files of the output folder are given by their
    names in it. Raises OutputError where one cannot be removed, and for a Volume from outside what its client raises.
    """
    removed = _removed(settings.output, PUBLISHED, setting="output.folder")
    if settings.shards.folder is None:
        return removed
    shards = _removed(Output(folder=settings.shards.folder), SHARDS, setting="shards.folder")
    return removed + [f"{settings.shards.folder.rstrip('/')}/{name}" for name in shards]


def _removed(place: Output, quoting: Quoting, *, setting: str) -> list[str]:
    # The local copy goes first: what is still there when the command ends would be sent to the Volume again.
    here = _remove_here(place.path, quoting)
    if not place.is_elsewhere:
        return here
    mirror = VolumeMirror(workspace_client(needed_for=setting), place.folder, place.path)
    return sorted({*here, *mirror.remove(files=quoting.has_file, folders=quoting.has_folder)})


def _remove_here(folder: Path, quoting: Quoting) -> list[str]:
    removed: list[Path] = []
    with explained(folder):
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if entry.is_dir() and quoting.has_folder(entry.name):
                removed += (found for found in sorted(entry.rglob("*")) if not found.is_dir())
            elif not entry.is_dir() and quoting.has_file(entry.name):
                removed.append(entry)
        for path in removed:
            path.unlink(missing_ok=True)
        for inner in {path.relative_to(folder).parts[0] for path in removed if path.parent != folder}:
            shutil.rmtree(folder / inner, ignore_errors=True)
    return [path.relative_to(folder).as_posix() for path in removed]
