"""Files of a Volume from outside the workspace: a local copy that is brought up to date before and sent back after.

On Databricks a Volume is mounted and none of this is used. Elsewhere `/Volumes/...` is no folder: everything works on
a local staging folder, and each file that changed is copied once, the manifest last.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finelake.config.settings import Output
from finelake.databricks.workspace import workspace_client, workspace_problem
from finelake.errors import OutputError
from finelake.files import sha256_of, write_whole

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.files import DirectoryEntry

logger = logging.getLogger(__name__)

_STATE = ".volume.json"
_LAST = "manifest.json"
_TRIES = 2


@contextmanager
def synchronised(output: Output) -> Iterator[None]:
    """Bring the files of an output folder in a Volume here, and send back what changed meanwhile; else do nothing.

    What was written before an error is sent, too. Raises ConfigError, EnvironmentProblem and OutputError.
    """
    if not output.is_elsewhere:
        yield
        return
    mirror = VolumeMirror(workspace_client(needed_for="output.folder"), output.folder, output.path)
    mirror.pull()
    try:
        yield
    finally:
        mirror.push()


class VolumeMirror:
    """A folder of a Volume (`remote`, `/Volumes/...`) and its copy on this machine; hidden files are not copied."""

    def __init__(self, client: WorkspaceClient, remote: str, local: Path) -> None:
        self._client = client
        self._remote = remote.rstrip("/")
        self._local = local

    def pull(self) -> list[str]:
        """Download each file that changed since the last time, and give their names.

        A copy whose file has gone from the Volume goes too, unless it was changed here: what was erased stays nowhere.
        """
        known, found = self._known(), self._listing()
        for name in known.keys() - found.keys():
            if sha256_of(self._local / name) == known.pop(name)["sha256"]:
                (self._local / name).unlink()
        brought = [name for name, mark in found.items() if known.get(name, {}).get("mark") != mark]
        for name in brought:
            self._download(name)
            known[name] = {"mark": found[name], "sha256": sha256_of(self._local / name)}
        self._remember(known)
        if brought:
            logger.info("brought %d files from %s", len(brought), self._remote)
        return brought

    def push(self) -> list[str]:
        """Upload each file that changed since `pull`, the manifest last, and give their names.

        Raises OutputError for a file that arrives with another size twice, or may not be written.
        """
        known = self._known()
        sent: list[str] = []
        for file in self._files():
            digest = sha256_of(file)
            if known.get(file.name, {}).get("sha256") == digest:
                continue
            if not sent:
                self._make_folder()
            self._upload(file)
            known[file.name] = {"mark": None, "sha256": digest}
            sent.append(file.name)
        if sent:
            self._remember({**known, **{name: {**known[name], "mark": self._listing()[name]} for name in sent}})
            logger.info("sent %d files to %s", len(sent), self._remote)
        return sent

    def remove(self, *, files: Callable[[str], bool], folders: Callable[[str], bool]) -> list[str]:
        """Delete files from the Volume by their names, and whole folders in it by theirs; hidden ones too.

        Gives what was deleted, by its place in the folder. Copies here go too, and are forgotten: a new file of the
        same name is sent by `push` whatever it holds. Raises OutputError for what may not be deleted.
        """
        for file in self._files():
            if files(file.name):
                file.unlink(missing_ok=True)
        if (self._local / _STATE).is_file():
            self._remember(self._known())
        removed: list[str] = []
        for entry in self._entries(self._remote):
            name = str(entry.name)
            if entry.is_directory and folders(name):
                removed += self._delete_folder(name)
            elif not entry.is_directory and files(name):
                self._delete(name)
                removed.append(name)
        if removed:
            logger.info("removed %d files from %s", len(removed), self._remote)
        return removed

    def _files(self) -> list[Path]:
        there = sorted(self._local.iterdir()) if self._local.is_dir() else []
        plain = [file for file in there if file.is_file() and not file.name.startswith(".")]
        return sorted(plain, key=lambda file: file.name == _LAST)

    def _listing(self) -> dict[str, str]:
        entries = self._entries(self._remote)
        files = [each for each in entries if not each.is_directory and not str(each.name).startswith(".")]
        return {str(each.name): f"{each.file_size} {each.last_modified}" for each in files}

    def _entries(self, folder: str) -> list[DirectoryEntry]:
        from databricks.sdk.errors import NotFound
        from databricks.sdk.errors.base import DatabricksError

        try:
            return [each for each in self._client.files.list_directory_contents(folder) if each.name]
        except NotFound:
            return []
        except DatabricksError as error:
            raise workspace_problem(error, place=folder, needs="READ VOLUME") from None

    def _download(self, name: str) -> None:
        from databricks.sdk.errors.base import DatabricksError

        self._local.mkdir(parents=True, exist_ok=True)
        unfinished = self._local / f".{name}.part"
        try:
            found = self._client.files.download(f"{self._remote}/{name}")
            if found.contents is None:
                raise OutputError(f"{self._remote}/{name} came without content. Run the same again.")
            with unfinished.open("wb") as stream:
                shutil.copyfileobj(found.contents, stream)
            if found.content_length is not None and unfinished.stat().st_size != found.content_length:
                raise OutputError(f"{self._remote}/{name} came only in part. Run the same again.")
            unfinished.replace(self._local / name)
        except DatabricksError as error:
            raise workspace_problem(error, place=f"{self._remote}/{name}", needs="READ VOLUME") from None
        finally:
            unfinished.unlink(missing_ok=True)

    def _upload(self, file: Path) -> None:
        from databricks.sdk.errors.base import DatabricksError

        place, size = f"{self._remote}/{file.name}", file.stat().st_size
        try:
            for _ in range(_TRIES):
                with file.open("rb") as stream:
                    self._client.files.upload(place, stream, overwrite=True)
                arrived = self._client.files.get_metadata(place).content_length
                if arrived == size:
                    return
        except DatabricksError as error:
            raise workspace_problem(error, place=place, needs="WRITE VOLUME") from None
        raise OutputError(f"{place} holds {arrived} bytes after {_TRIES} uploads of {size}. Run the same again.")

    def _delete_folder(self, name: str) -> list[str]:
        """Delete a folder with all that is in it: the workspace deletes empty ones alone."""
        deleted: list[str] = []
        for entry in self._entries(f"{self._remote}/{name}"):
            inner = f"{name}/{entry.name}"
            if entry.is_directory:
                deleted += self._delete_folder(inner)
            else:
                self._delete(inner)
                deleted.append(inner)
        self._delete(name, folder=True)
        return deleted

    def _delete(self, name: str, *, folder: bool = False) -> None:
        from databricks.sdk.errors import NotFound
        from databricks.sdk.errors.base import DatabricksError

        place, files = f"{self._remote}/{name}", self._client.files
        try:
            files.delete_directory(place) if folder else files.delete(place)
        except NotFound:
            return
        except DatabricksError as error:
            raise workspace_problem(error, place=place, needs="WRITE VOLUME") from None

    def _make_folder(self) -> None:
        from databricks.sdk.errors.base import DatabricksError

        try:
            self._client.files.create_directory(self._remote)
        except DatabricksError as error:
            raise workspace_problem(error, place=self._remote, needs="WRITE VOLUME") from None

    def _known(self) -> dict[str, dict[str, Any]]:
        try:
            loaded = json.loads((self._local / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        here = {name: entry for name, entry in loaded.items() if (self._local / name).is_file()}
        return here if isinstance(loaded, dict) else {}

    def _remember(self, known: dict[str, dict[str, Any]]) -> None:
        write_whole(self._local / _STATE, json.dumps(known, sort_keys=True))
