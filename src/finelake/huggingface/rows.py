"""Where a trainer's examples lie: published JSON Lines, or Parquet shards; both in groups, read one at a time."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow.parquet as pq

from finelake.chat import decode_json
from finelake.huggingface.job import JobError

Line = dict[str, Any]

_GROUP = 1_000


class Rows(Protocol):
    """Examples in groups: `groups` are their sizes."""

    groups: Sequence[int]

    def read(self, group: int, wanted: Sequence[int]) -> list[Line]:
        """Read the wanted rows of a group, in the order in which they are asked for."""

    def name(self, group: int, row: int) -> str:
        """Name a row for whoever looks for it: its place, never its text."""


class JsonLines:
    """A JSON Lines file; only where its groups begin is kept, 8 bytes for a thousand lines."""

    def __init__(self, path: Path) -> None:
        """Scan the file once. Raises JobError where it cannot be read or is empty."""
        self._path = path
        starts, sizes = [0], []
        try:
            with path.open("rb") as stream:
                lines = 0
                while stream.readline():
                    lines += 1
                    if lines == _GROUP:
                        starts.append(stream.tell())
                        sizes.append(lines)
                        lines = 0
                starts.append(stream.tell())
        except OSError as error:
            raise JobError("data_missing", f"{path} cannot be read ({type(error).__name__}).") from None
        self.groups: Sequence[int] = [*sizes, lines] if lines else sizes
        self._starts = np.asarray(starts, dtype=np.int64)
        if not self.groups:
            raise JobError("data_missing", f"{path} is empty. Publish a split with examples.")

    def read(self, group: int, wanted: Sequence[int]) -> list[Line]:
        """Read the wanted lines of a group. Raises JobError where one is no JSON object."""
        begin, end = int(self._starts[group]), int(self._starts[group + 1])
        with self._path.open("rb") as stream:
            stream.seek(begin)
            lines = stream.read(end - begin).removeprefix(codecs.BOM_UTF8).split(b"\n")
        return [_parsed(lines[row], self.name(group, row)) for row in wanted]

    def name(self, group: int, row: int) -> str:
        """Name a row by file and line."""
        return f"{self._path.name}, line {group * _GROUP + row + 1}"


class Shards:
    """The shards of one split, as `finelake.huggingface.shards` writes them."""

    def __init__(self, folder: Path, shards: Sequence[dict[str, Any]]) -> None:
        """Take the shards as the manifest lists them. Raises JobError where there is none."""
        self._files = [folder / shard["file"] for shard in shards]
        self._places = [(n, group) for n, shard in enumerate(shards) for group in range(len(shard["groups"]))]
        self.groups: Sequence[int] = [rows for shard in shards for rows in shard["groups"]]
        self._open: tuple[int, Any] | None = None
        if not self.groups:
            raise JobError("data_missing", f"The split has no examples in {folder}. Curate more, or take another one.")

    def read(self, group: int, wanted: Sequence[int]) -> list[Line]:
        """Read the wanted rows of a row group. Raises JobError where a shard cannot be read."""
        shard, inner = self._places[group]
        try:
            column = self._file(shard).read_row_group(inner, columns=["line"]).column("line")
        except (OSError, ValueError) as error:
            raise JobError(
                "data_missing", f"{self._files[shard]} cannot be read ({type(error).__name__}). Write the shards again."
            ) from None
        return [_parsed(column[int(row)].as_py(), self.name(group, row)) for row in wanted]

    def name(self, group: int, row: int) -> str:
        """Name a row by shard, row group and row."""
        shard, inner = self._places[group]
        return f"{self._files[shard].name}, group {inner}, row {row}"

    def _file(self, shard: int) -> Any:
        if self._open is None or self._open[0] != shard:
            if self._open is not None:
                self._open[1].close()
            self._open = shard, pq.ParquetFile(self._files[shard])
        return self._open[1]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind: a loader worker opens its own."""
        return {**self.__dict__, "_open": None}


def open_rows(path: Path, *, split: str) -> Rows:
    """Open a JSON Lines file, or the split of a shard manifest (its file or folder). Raises JobError."""
    if path.is_dir() or path.name == "manifest.json":
        folder = path if path.is_dir() else path.parent
        manifest = read_shard_manifest(folder)
        return Shards(folder, manifest["splits"].get(split, {}).get("shards", []))
    return JsonLines(path)


def read_shard_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder of shards. Raises JobError where it is missing or another kind."""
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(
            "data_missing", f"{path} cannot be read ({type(error).__name__}). Write the shards again."
        ) from None
    if manifest.get("format") != "parquet-shards":
        raise JobError("data_missing", f"{path} is not the manifest of shards. Name the folder that holds them.")
    return manifest


def _parsed(text: str | bytes, name: str) -> Line:
    try:
        line = decode_json(text)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        raise JobError("data_invalid", f"{name} is no JSON object. Publish the file again.")
    return line
