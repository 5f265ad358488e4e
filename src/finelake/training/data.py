"""The published files, read through their manifest and verified before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from finelake.config.planning import Method
from finelake.errors import InputError
from finelake.files import sha256_of
from finelake.publish import MANIFEST, read_manifest

_CURATE = "Run `finelake curate` again"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One published file. `sha256` in hex; `tokens` as the target model counts them."""

    split: str
    path: Path
    bytes: int
    sha256: str
    examples: int
    tokens: int


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The published files of one curation (its run id), the model its tokens were counted for, the way of training."""

    model: str
    train: DataFile
    validation: DataFile
    test: DataFile
    method: Method = "supervised"
    curation: str | None = None


def read_training_data(folder: Path) -> TrainingData:
    """Read the manifest of a published folder and verify its files byte by byte.

    Raises InputError when the folder is not published, or a file is missing or differs from the manifest.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError(
            f"{folder} has no {MANIFEST}, so there is nothing published to train on. Run `finelake curate` first, or "
            f"correct output.folder."
        )
    try:
        files = {split: _file(folder, split, manifest["files"][split]) for split in ("train", "validation", "test")}
        model, method = str(manifest["model"]), _method(manifest.get("method", "supervised"))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / MANIFEST} lacks or garbles {error}. {_CURATE} to write it anew.") from None
    for file in files.values():
        _verify(file)
    return TrainingData(model=model, method=method, **files, curation=manifest.get("run_id"))


def _file(folder: Path, split: str, entry: dict[str, Any]) -> DataFile:
    return DataFile(
        split=split,
        path=folder / str(entry["file"]),
        bytes=int(entry["bytes"]),
        sha256=str(entry["sha256"]),
        examples=int(entry["examples"]),
        tokens=int(entry["tokens"]),
    )


def _method(name: object) -> Method:
    for method in get_args(Method):
        if method == name:
            return cast(Method, method)
    raise ValueError(f"method {name!r}")


def _verify(file: DataFile) -> None:
    try:
        size = file.path.stat().st_size
        digest = sha256_of(file.path)
    except OSError as error:
        raise InputError(
            f"{file.path} is listed in {MANIFEST} but cannot be read ({type(error).__name__}). {_CURATE}."
        ) from None
    if size != file.bytes or digest != file.sha256:
        raise InputError(
            f"{file.path} is not the file that was published: found {size} bytes with SHA-256 {digest[:16]}…, expected "
            f"{file.bytes} bytes with {file.sha256[:16]}…. {_CURATE}; edit the source table, not the files."
        )
