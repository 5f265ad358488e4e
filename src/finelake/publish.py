"""Publishing: the curated examples as one JSONL file a split, with a manifest that is written last.

A folder without `manifest.json` is not a published one. The bytes depend on the examples alone: rows are sorted by
a unique key, so partitions do not show.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pyspark.sql import DataFrame

from finelake.chat import read_line
from finelake.config.settings import Output
from finelake.errors import InputError, OutputError
from finelake.files import in_volume, sha256_of, write_whole
from finelake.splits import SPLITS
from finelake.tables.writing import explained

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One published file: name in the folder, size in bytes, SHA-256 (hex), examples and their tokens."""

    file: str
    bytes: int
    sha256: str
    examples: int
    tokens: int
    trained_tokens: int


@dataclass(slots=True)
class _Tally:
    examples: int = 0
    tokens: int = 0
    trained_tokens: int = 0


def publish(examples: DataFrame, *, config: Output) -> dict[str, PublishedFile]:
    """Write train.jsonl, validation.jsonl and test.jsonl into the output folder, each line read back first.

    Needs columns split, sort_key, conversation_id, window, line, tokens, trained_tokens. An earlier manifest is removed
    before the first file changes. Raises OutputError when the folder cannot be written or a file read back differs.
    """
    folder = config.path
    with explained(folder), tempfile.TemporaryDirectory(prefix="finelake-publish-") as staging:
        tallies = _write(examples, Path(staging), byte_order_mark=config.byte_order_mark)
        published = {split: _read_back(Path(staging) / f"{split}.jsonl", tallies[split]) for split in SPLITS}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        for item in published.values():
            shutil.copyfile(Path(staging) / item.file, folder / item.file)
            _compare(folder / item.file, item)
    return published


def write_manifest(manifest: dict[str, Any], *, folder: Path) -> None:
    """Write the manifest in one step; from now on the folder is whole."""
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if in_volume(folder):
        write_whole(folder / MANIFEST, text)
        return
    with explained(folder), _replacing(folder / MANIFEST) as stream:
        stream.write(text.encode())


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a published folder, or None when there is none. Raises InputError when it is not JSON."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(f"{path} is not valid JSON. Remove it and run `finelake curate` again.") from None
    if not isinstance(loaded, dict):
        raise InputError(f"{path} holds {type(loaded).__name__}, expected an object. Run `finelake curate` again.")
    return loaded


def withdraw(files: Mapping[str, PublishedFile], *, folder: Path, run_id: str) -> None:
    """Remove the manifest and the files that a run has published, and nothing that another has put in their place."""
    manifest = read_manifest(folder)
    with explained(folder):
        if manifest is not None and manifest.get("run_id") == run_id:
            (folder / MANIFEST).unlink(missing_ok=True)
        for item in files.values():
            path = folder / item.file
            if path.is_file() and sha256_of(path) == item.sha256:
                path.unlink(missing_ok=True)


def is_whole(folder: Path, files: dict[str, Any]) -> bool:
    """Tell whether every file that a manifest lists is there with the size and SHA-256 it names."""
    return all(
        (folder / item["file"]).is_file() and sha256_of(folder / item["file"]) == item["sha256"]
        for item in files.values()
    )


def describe(published: dict[str, PublishedFile]) -> dict[str, dict[str, Any]]:
    """Give the published files as the manifest lists them."""
    return {split: asdict(item) for split, item in published.items()}


def _write(examples: DataFrame, staging: Path, *, byte_order_mark: bool) -> dict[str, _Tally]:
    tallies = {split: _Tally() for split in SPLITS}
    columns = ("split", "line", "tokens", "trained_tokens")
    rows = (
        examples.orderBy("sort_key", "conversation_id", "window")
        .select(*columns)
        .toLocalIterator(prefetchPartitions=True)
    )
    with ExitStack() as open_files:
        streams = {split: open_files.enter_context((staging / f"{split}.jsonl").open("wb")) for split in SPLITS}
        if byte_order_mark:
            for stream in streams.values():
                stream.write(codecs.BOM_UTF8)
        for split, line, tokens, trained_tokens in rows:
            streams[split].write(line.encode() + b"\n")
            tally = tallies[split]
            tally.examples += 1
            tally.tokens += tokens
            tally.trained_tokens += trained_tokens
    return tallies


def _read_back(path: Path, tally: _Tally) -> PublishedFile:
    digest = hashlib.sha256()
    lines = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            digest.update(line)
            content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if not content.strip():
                continue
            lines += 1
            _, problems = read_line(content)
            if problems:
                found = f"{problems[0].code} at {problems[0].place or 'the line'}"
                raise OutputError(f"{path.name}, line {number} does not read back as a chat example: {found}.")
    if lines != tally.examples:
        raise OutputError(f"{path.name} holds {lines} lines, expected {tally.examples}. Run the same again.")
    return PublishedFile(
        file=path.name,
        bytes=path.stat().st_size,
        sha256=digest.hexdigest(),
        examples=lines,
        tokens=tally.tokens,
        trained_tokens=tally.trained_tokens,
    )


def _compare(path: Path, expected: PublishedFile) -> None:
    if path.stat().st_size != expected.bytes or sha256_of(path) != expected.sha256:
        raise OutputError(f"{path} differs from what was written to it. Check the disk and run the same again.")


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
