"""What is written while a model trains: a line a step, checkpoints; and the stop that somebody asks for."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from finelake.huggingface.checkpoints import prune, seal
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.job import JobError
from finelake.huggingface.progress import ProgressFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long a job trains: steps in all, where it begins, how many make an epoch and after how many it is kept."""

    total: int
    begin: int
    per_epoch: float
    every: int
    keep: int

    def keeps(self, step: int) -> bool:
        """Say whether a step ends with a measurement and a checkpoint."""
        return step % self.every == 0 or step == self.total


class Watch(TrainerCallback):
    """Writes progress and checkpoints from the first process, and stops every process at the same step."""

    def __init__(self, folder: JobFolder, course: Course, *, measures: bool) -> None:
        """Measure on the validation examples at each checkpoint where `measures`."""
        self._folder, self._course, self._measures = folder, course, measures
        self._progress = ProgressFile(folder.progress)
        before = self._progress.at(course.begin)
        self._tokens, self._seconds = before.get("tokens", 0), before.get("seconds", 0.0)
        self._began = time.monotonic()
        self._pending: dict[str, Any] = {}
        self._agreed: Callable[[bool], bool] = bool
        self.stopped = False

    def line(self, step: int) -> dict[str, Any]:
        """Give the line of a step, empty where there is none."""
        return self._progress.at(step)

    def agree_by(self, agreed: Callable[[bool], bool]) -> None:
        """Ask all processes by `agreed`, which says whether any of them says yes."""
        self._agreed = agreed

    def on_step_end(self, _args: Any, state: Any, control: Any, **_more: Any) -> Any:
        """Decide what follows a step."""
        self.stopped = self._agreed(self._folder.stop.exists())
        keeps = self.stopped or self._course.keeps(state.global_step)
        control.should_evaluate = keeps and self._measures
        control.should_save = keeps
        control.should_log = True
        control.should_training_stop = self.stopped or state.global_step >= self._course.total
        return control

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, Any] | None = None, **_more: Any) -> None:
        """Take the numbers of a step, and those of a measurement after it. Raises JobError when they are no numbers."""
        found = logs or {}
        if "loss" in found:
            self._take(found, state.global_step)
        elif "eval_loss" in found and self._pending:
            self._pending |= {
                "valid_loss": found["eval_loss"],
                "valid_accuracy": found.get("eval_rewards/accuracies", found.get("eval_mean_token_accuracy")),
            }

    def on_step_begin(self, _args: Any, state: Any, _control: Any, **_more: Any) -> None:
        """Write the line of the step before."""
        self._flush(state)

    def on_train_end(self, _args: Any, state: Any, _control: Any, **_more: Any) -> None:
        """Write the last line."""
        self._flush(state)

    def on_save(self, args: Any, state: Any, _control: Any, **_more: Any) -> None:
        """Seal the checkpoint that the trainer has written, after the line of its step."""
        self._flush(state)
        self._agreed(True)
        if state.is_world_process_zero:
            step = state.global_step
            seal(
                Path(args.output_dir) / f"checkpoint-{step}",
                self._folder.checkpoints,
                step=step,
                facts={"progress": self._progress.at(step)},
            )
            prune(self._folder.checkpoints, keep=self._course.keep)
        self._agreed(True)

    def _take(self, logs: dict[str, Any], step: int) -> None:
        if not math.isfinite(logs["loss"]):
            raise JobError(
                "diverged", f"The loss of step {step} is no number. Lower learning_rate, or look at the examples."
            )
        self._pending = {
            "step": step,
            "total_steps": self._course.total,
            "epoch": round(step / self._course.per_epoch, 4),
            "train_loss": logs["loss"],
            "train_accuracy": logs.get("rewards/accuracies", logs.get("mean_token_accuracy")),
            "valid_loss": None,
            "valid_accuracy": None,
            "learning_rate": logs.get("learning_rate"),
            "gradient_norm": logs.get("grad_norm"),
            "tokens": self._tokens + int(logs.get("num_tokens", 0)),
            "seconds": round(self._seconds + time.monotonic() - self._began, 3),
        }

    def _flush(self, state: Any) -> None:
        if self._pending and state.is_world_process_zero:
            self._progress.add(self._pending)
        self._pending = {}
