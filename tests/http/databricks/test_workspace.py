"""The real databricks-sdk against a workspace on this machine: files of a Volume, secrets, faults."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from finelake.config.settings import Output, SecretRef, Settings
from finelake.databricks.volumes import VolumeMirror, synchronised
from finelake.databricks.workspace import workspace_client
from finelake.erasure.files import remove_files
from finelake.errors import ConfigError, OutputError
from finelake.huggingface.publishing import publish_shards
from finelake.publish import read_manifest, write_manifest
from finelake.services.credentials import resolve
from support.lake import settings_for
from support.workspace import TOKEN, State

pytestmark = pytest.mark.http

FOLDER = "/Volumes/main/finelake/finelake"
OUTPUT = Output(folder=FOLDER)
SECRET = SecretRef(scope="finelake", key="azure-client-secret")
PLACE = f"PUT /api/2.0/fs/files{FOLDER}"


@pytest.fixture
def mirror(workspace: State, tmp_path: Path) -> VolumeMirror:
    """A local copy of an empty folder."""
    assert not workspace.files
    return VolumeMirror(workspace_client(needed_for="the test"), FOLDER, tmp_path / "copy")


def write(folder: Path, **files: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def test_files_go_to_the_volume_once_the_manifest_last(workspace: State, mirror: VolumeMirror, tmp_path: Path) -> None:
    write(tmp_path / "copy", train="one", manifest="{}")
    (tmp_path / "copy" / ".answers").mkdir()
    assert mirror.push() == ["train.json", "manifest.json"]
    assert mirror.push() == []
    assert workspace.files == {f"{FOLDER}/train.json": b"one", f"{FOLDER}/manifest.json": b"{}"}
    sent = [asked for asked in workspace.requests if asked.startswith(PLACE)]
    assert sent == [f"{PLACE}/train.json", f"{PLACE}/manifest.json"]
    write(tmp_path / "copy", train="two")
    assert mirror.push() == ["train.json"]


def test_files_come_from_the_volume_when_they_changed(workspace: State, mirror: VolumeMirror, tmp_path: Path) -> None:
    workspace.files[f"{FOLDER}/manifest.json"] = b'{"run_id": "a"}'
    assert mirror.pull() == ["manifest.json"]
    assert mirror.pull() == []
    assert mirror.push() == []
    workspace.files[f"{FOLDER}/manifest.json"] = b'{"run_id": "b"}'
    assert mirror.pull() == ["manifest.json"]
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == b'{"run_id": "b"}'


def test_a_file_that_left_the_volume_leaves_its_copy_too(
    workspace: State, mirror: VolumeMirror, tmp_path: Path
) -> None:
    write(tmp_path / "copy", evaluation="quotes", changed="one", train="here")
    mirror.push()
    for name in ("evaluation", "changed"):
        del workspace.files[f"{FOLDER}/{name}.json"]
    write(tmp_path / "copy", changed="two")
    assert mirror.pull() == []
    assert sorted(path.name for path in (tmp_path / "copy").glob("[!.]*")) == ["changed.json", "train.json"]
    assert mirror.push() == ["changed.json"]


def test_what_is_removed_goes_from_the_volume_and_may_come_again(
    workspace: State, mirror: VolumeMirror, tmp_path: Path
) -> None:
    write(tmp_path / "copy", train="one", kept="two")
    mirror.push()
    hidden = {
        f"{FOLDER}/.answers-r/k.json": b"",
        f"{FOLDER}/.answers-r/a/b.json": b"",
        f"{FOLDER}/other/train.json": b"",
    }
    workspace.files |= hidden
    removed = mirror.remove(files=lambda name: name == "train.json", folders=lambda name: name.startswith(".answers-"))
    assert removed == [".answers-r/a/b.json", ".answers-r/k.json", "train.json"]
    assert set(workspace.files) == {f"{FOLDER}/kept.json", f"{FOLDER}/other/train.json"}
    assert not any(".answers" in folder for folder in workspace.folders)
    assert not (tmp_path / "copy" / "train.json").exists()
    write(tmp_path / "copy", train="one")
    assert mirror.push() == ["train.json"], "the same bytes are sent again"
    assert mirror.remove(files=lambda _: False, folders=lambda _: True) == ["other/train.json"]


def test_what_may_not_be_removed_is_said_and_what_has_gone_is_not(workspace: State, mirror: VolumeMirror) -> None:
    place = f"DELETE /api/2.0/fs/files{FOLDER}"
    workspace.files |= {f"{FOLDER}/a.json": b"", f"{FOLDER}/b.json": b""}
    workspace.faults = [(f"{place}/a.json", 404, "NOT_FOUND"), (f"{place}/b.json", 403, "PERMISSION_DENIED")]
    with pytest.raises(OutputError, match=r"refuses .*/b\.json \(PermissionDenied\); it needs WRITE VOLUME"):
        mirror.remove(files=lambda _: True, folders=lambda _: False)
    assert f"{place}/a.json" in workspace.requests


def erasing(folder: Path) -> Settings:
    """Settings with the output in a Volume, and shards beside it as conf/databricks_huggingface.yml has them."""
    return settings_for(folder, output={"folder": f"{FOLDER}/open"}, shards={"folder": f"{FOLDER}/open_shards"})


def test_erasing_from_outside_removes_what_quotes_from_the_volume(workspace: State, tmp_path: Path) -> None:
    settings = erasing(tmp_path)
    quoting = {f"{FOLDER}/open/{name}" for name in ("train.jsonl", "evaluation.html", "model_card.md", "report.html")}
    quoting |= {f"{FOLDER}/open/{name}" for name in ("comparison.md", "manifest.json", ".answers-r1/k.json")}
    shards = {"manifest.json", "train-00000-of-00001.parquet", "staging-r1/split=train/shard=0/part-0.zstd.parquet"}
    quoting |= {f"{FOLDER}/open_shards/{name}" for name in shards}
    others = {f"{FOLDER}/open/{name}" for name in ("raw.jsonl", "landing/turns.parquet", "other/manifest.json")}
    workspace.files |= dict.fromkeys(quoting | others, b"{}")
    with synchronised(settings.output):
        (settings.output.path / ".answers-r2").mkdir()
        (settings.output.path / ".answers-r2" / "k.json").touch()
        removed = remove_files(settings)
        assert set(workspace.files) == others
        (settings.output.path / "train.jsonl").write_bytes(b"{}")
    assert set(removed) >= {"evaluation.html", ".answers-r1/k.json", ".answers-r2/k.json"}
    assert {name for name in removed if "open_shards" in name} == {f"{FOLDER}/open_shards/{name}" for name in shards}
    with synchronised(settings.output):
        here = {path.name for path in settings.output.path.iterdir()}
    assert here == {"raw.jsonl", "train.jsonl", ".volume.json"}
    assert set(workspace.files) == {*others, f"{FOLDER}/open/train.jsonl"}
    assert remove_files(settings) == ["train.jsonl"]


def test_erasing_on_databricks_asks_the_mounted_folder(
    workspace: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert remove_files(erasing(tmp_path)) == []
    assert workspace.requests == []


def test_shards_are_not_written_into_a_volume_from_outside(workspace: State, tmp_path: Path) -> None:
    spark: Any = None
    with pytest.raises(ConfigError, match="not mounted on this machine"):
        publish_shards(spark, erasing(tmp_path))
    assert workspace.requests == []


def test_an_output_folder_in_a_volume_is_worked_on_here(workspace: State) -> None:
    workspace.files[f"{FOLDER}/comparison.json"] = b"{}"
    assert OUTPUT.is_elsewhere
    with synchronised(OUTPUT):
        assert (OUTPUT.path / "comparison.json").is_file()
        write_manifest({"run_id": "8b5c"}, folder=OUTPUT.path)
    assert json.loads(workspace.files[f"{FOLDER}/manifest.json"])["run_id"] == "8b5c"
    (OUTPUT.path / "manifest.json").unlink()
    with synchronised(OUTPUT):
        assert read_manifest(OUTPUT.path) == {"run_id": "8b5c"}


def test_on_databricks_the_volume_is_a_folder(workspace: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert (OUTPUT.is_elsewhere, OUTPUT.path) == (False, Path(FOLDER))
    with synchronised(OUTPUT):
        assert workspace.requests == []


def test_a_folder_of_this_machine_asks_no_workspace(workspace: State, tmp_path: Path) -> None:
    with synchronised(Output(folder=str(tmp_path / "published"))):
        pass
    assert workspace.requests == []


@pytest.mark.parametrize(("status", "code"), [(429, "RESOURCE_EXHAUSTED"), (503, "TEMPORARILY_UNAVAILABLE")])
def test_a_busy_workspace_is_asked_again(
    workspace: State, mirror: VolumeMirror, tmp_path: Path, status: int, code: str
) -> None:
    write(tmp_path / "copy", train="one")
    workspace.faults = [(PLACE, status, code)]
    assert mirror.push() == ["train.json"]
    assert workspace.files[f"{FOLDER}/train.json"] == b"one"
    assert workspace.requests.count(f"{PLACE}/train.json") == 2


def test_an_upload_that_arrives_in_part_is_sent_again(workspace: State, mirror: VolumeMirror, tmp_path: Path) -> None:
    write(tmp_path / "copy", train="one")
    workspace.cut = 1
    assert mirror.push() == ["train.json"]
    assert workspace.files[f"{FOLDER}/train.json"] == b"one"


def test_what_may_not_be_written_says_which_privilege_it_needs(
    workspace: State, mirror: VolumeMirror, tmp_path: Path
) -> None:
    write(tmp_path / "copy", train="one")
    workspace.faults = [(PLACE, 403, "PERMISSION_DENIED")]
    with pytest.raises(
        OutputError, match=r"refuses .*/train\.json \(PermissionDenied\); it needs WRITE VOLUME"
    ) as told:
        mirror.push()
    assert "4111" not in str(told.value)
    workspace.faults = [("GET /api/2.0/fs/directories", 403, "PERMISSION_DENIED")]
    with pytest.raises(OutputError, match="it needs READ VOLUME"):
        mirror.pull()


def test_a_wrong_sign_in_is_said(workspace: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not workspace.files
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-old-and-secret")
    with pytest.raises(ConfigError, match=r"does not accept the sign-in \(Unauthenticated\)") as told:
        VolumeMirror(workspace_client(needed_for="the test"), FOLDER, tmp_path).pull()
    assert "dapi" not in str(told.value)


def test_no_workspace_at_all_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=r"output\.folder needs a Databricks workspace, and nothing here signs in"):
        workspace_client(needed_for="output.folder")


def test_a_secret_is_read_by_scope_and_key_and_shown_nowhere(
    workspace: State, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.secrets["finelake", "azure-client-secret"] = "s3cret-value"
    with caplog.at_level(logging.DEBUG, logger="finelake"):
        assert resolve(SECRET, setting="service.entra.client_secret") == "s3cret-value"
    assert "s3cret-value" not in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("fault", "kind"), [((403, "PERMISSION_DENIED"), "PermissionDenied"), (None, "ResourceDoesNotExist")]
)
def test_a_secret_that_cannot_be_read_says_where_it_should_be(
    workspace: State, fault: tuple[int, str] | None, kind: str
) -> None:
    if fault is not None:
        workspace.faults = [("GET /api/2.0/secrets/get", *fault)]
    said = rf"secret azure-client-secret of Databricks scope finelake cannot be read \({kind}\)"
    with pytest.raises(ConfigError, match=said) as told:
        resolve(SECRET, setting="service.entra.client_secret")
    assert "4111" not in str(told.value)
