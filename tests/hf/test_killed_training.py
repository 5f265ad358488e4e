"""A training process that is killed and started again ends where an unbroken one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.training_process import finish, kill_at, progress, result, start, write_job


def job_of(tiny_model: Path, chat_files: dict[str, Path], tuning: str) -> dict[str, Any]:
    return {
        "model": {"source": str(tiny_model)},
        "data": {"train": str(chat_files["train"]), "validation": str(chat_files["validation"])},
        "tuning": tuning,
        "hyperparameters": {
            "epochs": 2,
            "batch_size": 4,
            "micro_batch": 2,
            "learning_rate": 0.003,
            "max_length": 512,
            "shuffle_rows": 10,
        },
        "checkpoint_steps": 4,
        "keep_checkpoints": 10,
    }


@pytest.fixture(scope="module")
def unbroken(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, chat_files: dict[str, Path]
) -> tuple[Path, dict[str, Any]]:
    """An adapter trained without a break."""
    folder = write_job(tmp_path_factory.mktemp("unbroken") / "job", **job_of(tiny_model, chat_files, "lora"))
    return folder, finish(folder)


def test_an_unbroken_run_learns_and_tells_every_step(unbroken: tuple[Path, dict[str, Any]]) -> None:
    folder, found = unbroken
    lines = progress(folder)
    assert (found["status"], found["steps"], found["data"]["kept"]) == ("succeeded", 18, 36)
    assert [line["step"] for line in lines] == list(range(1, 19))
    assert lines[-1]["train_loss"] < lines[0]["train_loss"] - 0.5
    measured = [line["step"] for line in lines if line["valid_loss"] is not None]
    assert measured == [4, 8, 12, 16, 18]
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == sorted(f"step-{n}" for n in measured)
    assert lines[-1]["tokens"] == 2 * found["data"]["tokens"]


def test_killed_and_started_again_it_ends_with_the_same_weights(
    unbroken: tuple[Path, dict[str, Any]], tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path]
) -> None:
    folder = write_job(tmp_path / "job", **job_of(tiny_model, chat_files, "lora"))
    kill_at(folder, start(folder), step=10)
    assert not (folder / "result.json").exists()
    weights = folder / "checkpoints" / "step-8" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")  # damaged by the same accident

    found = finish(folder)

    assert (found["status"], found["resumed_at"]) == ("succeeded", 4)
    assert found["sha256"] == unbroken[1]["sha256"]
    told, expected = progress(folder), progress(unbroken[0])
    timeless = [{key: value for key, value in line.items() if key != "seconds"} for line in told]
    assert timeless == [{key: value for key, value in line.items() if key != "seconds"} for line in expected]
    assert "step-8 is damaged" in folder.with_suffix(".log").read_text(encoding="utf-8")


def test_a_stop_is_heeded_at_the_next_step_and_the_same_job_goes_on(
    unbroken: tuple[Path, dict[str, Any]], tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path]
) -> None:
    folder = write_job(tmp_path / "job", **job_of(tiny_model, chat_files, "lora"))
    (folder / "stop").touch()
    stopped = finish(folder)
    assert (stopped["status"], stopped["steps"]) == ("stopped", 1)
    assert (folder / "checkpoints" / "step-1" / "manifest.json").exists()

    (folder / "stop").unlink()
    found = finish(folder)

    assert (found["status"], found["resumed_at"]) == ("succeeded", 1)
    assert found["sha256"] == unbroken[1]["sha256"]


def test_a_job_that_has_succeeded_is_not_done_again(unbroken: tuple[Path, dict[str, Any]]) -> None:
    folder, found = unbroken
    before = (folder / "result.json").stat().st_mtime_ns
    assert finish(folder) == found == result(folder)
    assert (folder / "result.json").stat().st_mtime_ns == before
