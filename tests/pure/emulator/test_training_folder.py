"""What a training process tells by its folder, read while it is written."""

from __future__ import annotations

import json
from pathlib import Path

from finelake.emulator.transformer.folder import TrainingFolder


def line(step: int, **more: object) -> str:
    """Give a line of progress."""
    told = {"step": step, "total_steps": 9, "train_loss": 2.0 / step, "train_accuracy": 0.5, "tokens": 10 * step}
    return json.dumps(told | more) + "\n"


def test_lines_are_told_once_and_only_when_whole(tmp_path: Path) -> None:
    folder, progress = TrainingFolder(tmp_path), tmp_path / "progress.jsonl"
    assert list(folder.news()) == []
    progress.write_text(line(1) + line(2)[:-5], encoding="utf-8")
    (told,) = folder.news()
    assert (told.metrics.step, told.total_steps, told.tokens) == (1, 9, 10)
    assert list(folder.news()) == []
    progress.write_text(line(1) + line(2) + line(3, valid_loss=1.5, valid_accuracy=0.25), encoding="utf-8")
    two, three = folder.news()
    assert two.metrics.full_valid_loss is None
    assert (three.metrics.full_valid_loss, three.metrics.full_valid_accuracy) == (1.5, 0.25)


def test_a_file_that_became_shorter_is_read_again(tmp_path: Path) -> None:
    folder, progress = TrainingFolder(tmp_path), tmp_path / "progress.jsonl"
    progress.write_text(line(1) + line(2) + line(3), encoding="utf-8")
    assert len(list(folder.news())) == 3
    progress.write_text(line(1) + line(2), encoding="utf-8")
    assert [told.metrics.step for told in folder.news()] == [1, 2]


def test_checkpoints_count_when_they_have_a_manifest(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    for step, whole in ((10, True), (2, True), (12, False)):
        folder.checkpoint(step).mkdir(parents=True)
        if whole:
            (folder.checkpoint(step) / "manifest.json").touch()
    assert folder.checkpoints() == [2, 10]


def test_a_job_is_written_once_and_a_stop_is_forgotten_at_a_new_beginning(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    folder.ask({"method": "sft"})
    folder.ask({"method": "dpo"})
    assert json.loads((tmp_path / "job.json").read_text()) == {"method": "sft"}
    folder.ask_stop()
    (tmp_path / "result.json").write_text('{"status": "stopped"}')
    folder.begin_again()
    assert folder.result() is None
    assert not (tmp_path / "stop").exists()
    (tmp_path / "result.json").write_text('{"status": "failed"}')
    folder.begin_again()
    assert folder.result() == {"status": "failed"}
