"""What a training process keeps in its folder, whatever moment it is killed at; needs no PyTorch."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from finelake.errors import RunBusyError
from finelake.huggingface.checkpoints import last_whole, prune, seal, steps_of, whole
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import Job, JobError, read_job
from finelake.huggingface.order import Order
from finelake.huggingface.progress import ProgressFile
from finelake.huggingface.rows import JsonLines, open_rows


def checkpoint(root: Path, step: int) -> Path:
    work = root / f"work-{step}"
    work.mkdir(parents=True)
    (work / "weights").write_bytes(bytes([step]) * 100)
    return seal(work, root / "checkpoints", step=step, facts={"loss": 1.0})


def test_a_line_torn_by_a_kill_is_written_anew_and_none_twice(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    first = ProgressFile(file)
    first.add({"step": 1, "loss": 3.0})
    first.add({"step": 2, "loss": 2.0})
    with file.open("ab") as stream:
        stream.write(b'{"step": 3, "lo')

    again = ProgressFile(file)
    for step in (2, 3):
        again.add({"step": step, "loss": 9.0})

    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": 2.0},
        {"step": 3, "loss": 9.0},
    ]
    assert (again.last_step, again.at(1), again.at(7)) == (3, {"step": 1, "loss": 3.0}, {})


def test_a_sealed_checkpoint_has_every_file_in_its_manifest(tmp_path: Path) -> None:
    manifest = whole(checkpoint(tmp_path, 4))
    assert manifest is not None
    assert (manifest["step"], manifest["loss"], list(manifest["files"])) == (4, 1.0, ["weights"])
    assert not (tmp_path / "work-4").exists()


@pytest.mark.parametrize("damage", ["changed", "shorter", "missing", "no manifest", "torn manifest"])
def test_a_damaged_checkpoint_is_passed_over_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    first, second = checkpoint(tmp_path, 4), checkpoint(tmp_path, 8)
    weights, manifest = second / "weights", second / "manifest.json"
    if damage == "changed":
        weights.write_bytes(b"\0" * 100)
    elif damage == "shorter":
        weights.write_bytes(b"")
    elif damage == "torn manifest":
        manifest.write_bytes(manifest.read_bytes()[:20])
    else:
        (weights if damage == "missing" else manifest).unlink()
    with caplog.at_level(logging.WARNING):
        assert last_whole(tmp_path / "checkpoints") == first
    assert "step-8 is damaged" in caplog.text


def test_only_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (2, 10, 6):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoints" / ".step-12.partial").mkdir()
    prune(tmp_path / "checkpoints", keep=2)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-10", "step-6"]
    assert steps_of(tmp_path / "nowhere") == []
    assert last_whole(tmp_path / "nowhere") is None


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with JobFolder(tmp_path).held(), pytest.raises(RunBusyError), JobFolder(tmp_path).held():
        pass
    with JobFolder(tmp_path).held():
        pass


BASE: dict[str, Any] = {"model": {"source": "m"}, "data": {"train": "t.jsonl"}}


@pytest.mark.parametrize(
    ("method", "tuning", "rate"),
    [("sft", "lora", 2e-4), ("sft", "full", 2e-5), ("dpo", "qlora", 1e-5), ("dpo", "full", 1e-6)],
)
def test_the_rate_depends_on_method_and_tuning(method: str, tuning: str, rate: float) -> None:
    job = Job.model_validate({**BASE, "method": method, "tuning": tuning})
    assert job.learning_rate == rate
    doubled = Job.model_validate({**BASE, "hyperparameters": {"learning_rate": 0.1, "learning_rate_multiplier": 2}})
    assert doubled.learning_rate == 0.2


@pytest.mark.parametrize(
    ("batch", "micro", "processes", "at_once", "accumulated"), [(16, None, 2, 8, 1), (16, 2, 2, 2, 4), (8, 8, 1, 8, 1)]
)
def test_a_step_has_the_batch_whatever_the_processes(
    batch: int, micro: int | None, processes: int, at_once: int, accumulated: int
) -> None:
    wanted = {"batch_size": batch, "micro_batch": micro}
    job = Job.model_validate({**BASE, "hyperparameters": wanted, "processes": processes})
    assert (job.micro_batch, job.accumulation) == (at_once, accumulated)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        (json.dumps({**BASE, "processes": 3}), "no multiple of micro_batch x processes"),
        (json.dumps({**BASE, "tunning": "lora"}), "tunning"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_job_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "job.json").write_text(text)
    with pytest.raises(JobError, match=said) as caught:
        read_job(tmp_path / "job.json")
    assert caught.value.code == "invalid_job"


def test_lines_are_read_by_group_and_place(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + b"".join(b'{"n": %d}\n' % n for n in range(2_300)))
    rows = JsonLines(file)
    assert rows.groups == [1_000, 1_000, 300]
    assert [line["n"] for line in rows.read(0, [0, 999])] == [0, 999]
    assert [line["n"] for line in rows.read(2, [299, 0])] == [2_299, 2_000]
    assert rows.name(2, 0) == "lines.jsonl, line 2001"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.jsonl", None, "cannot be read"),
        ("empty.jsonl", "", "is empty"),
        ("manifest.json", '{"run_id": "r"}', "not the manifest of shards"),
    ],
)
def test_data_that_are_not_there_are_told(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(JobError, match=said) as caught:
        open_rows(tmp_path / name, split="train")
    assert caught.value.code == "data_missing"


def test_a_line_that_is_no_object_is_told_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_text('{"n": 1}\nsecret text\n')
    with pytest.raises(JobError, match=r"lines\.jsonl, line 2 is no JSON object") as caught:
        JsonLines(file).read(0, [1])
    assert "secret" not in str(caught.value)


def test_a_pool_holds_no_more_rows_than_asked_unless_a_group_does() -> None:
    order = Order([10] * 20 + [35], seed=1, shuffle_rows=30)
    sizes = [len(pool.rows) for pool in order.pools(0)]
    assert sum(sizes) == order.rows == 235
    assert max(sizes) == 35
    assert sorted(sizes, reverse=True)[1] <= 30
