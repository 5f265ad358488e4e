"""Published files are verified byte by byte before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.http.training.setting import MODEL, publish_examples

from finelake.errors import InputError
from finelake.training.data import read_training_data


def test_published_files_are_read(tmp_path: Path) -> None:
    publish_examples(tmp_path)
    data = read_training_data(tmp_path)
    assert (data.model, data.train.examples, data.validation.examples) == (MODEL, 24, 12)


def test_a_folder_that_is_not_published_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing published"):
        read_training_data(tmp_path)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_missing_file_is_named(tmp_path: Path, split: str) -> None:
    publish_examples(tmp_path)
    (tmp_path / f"{split}.jsonl").unlink()
    with pytest.raises(InputError, match=rf"{split}\.jsonl is listed .* cannot be read"):
        read_training_data(tmp_path)


def test_a_file_that_was_changed_is_named(tmp_path: Path) -> None:
    publish_examples(tmp_path)
    path = tmp_path / "train.jsonl"
    path.write_bytes(path.read_bytes().replace(b"warehouse", b"warehousE", 1))
    with pytest.raises(InputError, match=r"train\.jsonl is not the file that was published"):
        read_training_data(tmp_path)


def test_a_garbled_manifest_is_named(tmp_path: Path) -> None:
    publish_examples(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["files"]["validation"]["sha256"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json lacks or garbles 'sha256'"):
        read_training_data(tmp_path)
