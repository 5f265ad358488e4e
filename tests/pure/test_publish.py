"""The published folder without Spark: reading the manifest, and telling whether the files are whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from finelake.errors import InputError, OutputError
from finelake.publish import MANIFEST, is_whole, read_manifest, write_manifest


def listed(folder: Path) -> dict[str, dict[str, str]]:
    content = (folder / "train.jsonl").read_bytes()
    return {"train": {"file": "train.jsonl", "sha256": hashlib.sha256(content).hexdigest()}}


def test_a_folder_is_whole_while_its_files_are_those_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("{}\n", encoding="utf-8")
    files = listed(tmp_path)
    assert is_whole(tmp_path, files)
    (tmp_path / "train.jsonl").write_text("{ }\n", encoding="utf-8")
    assert not is_whole(tmp_path, files)
    (tmp_path / "train.jsonl").unlink()
    assert not is_whole(tmp_path, files)


def test_a_manifest_reads_back_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    manifest = {"run_id": "1", "note": "caf\u00e9"}
    write_manifest(manifest, folder=tmp_path)
    assert read_manifest(tmp_path) == manifest
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_spoiled_manifest_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"manifest\.json .*`finelake curate` again"):
        read_manifest(tmp_path)


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_manifest({"run_id": "1"}, folder=tmp_path)
    (tmp_path / f".{MANIFEST}.partial").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_manifest({"run_id": "2"}, folder=tmp_path)
    assert read_manifest(tmp_path) == {"run_id": "1"}
