"""The folder of one training process: what it is asked, and what it tells.

`job.json` asks; `progress.jsonl`, `checkpoints/step-N/`, `model/` and `result.json` tell; `stop` asks it to stop at its
next step. `python -m finelake.huggingface.train FOLDER` goes on where the folder is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finelake.emulator.metrics import StepMetrics
from finelake.emulator.wire import Json
from finelake.files import write_whole

_JOB, _PROGRESS, _RESULT, _STOP = "job.json", "progress.jsonl", "result.json", "stop"
_STEP = "step-"


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the process: the step's numbers, the steps of the whole training, and the tokens learned so far."""

    metrics: StepMetrics
    total_steps: int
    tokens: int


class TrainingFolder:
    """Read and write the folder; what is not there yet is not told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    @property
    def model(self) -> Path:
        """Where the trained model lies at the end."""
        return self.path / "model"

    def checkpoint(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.path / "checkpoints" / f"{_STEP}{step}"

    def ask(self, job: Json) -> None:
        """Write what is to be trained, once: a job that was begun is not changed."""
        if not (self.path / _JOB).exists():
            write_whole(self.path / _JOB, json.dumps(job, indent=1))

    def ask_stop(self) -> None:
        """Ask the process to stop at its next step."""
        (self.path / _STOP).touch()

    def begin_again(self) -> None:
        """Forget that the process was asked to stop, and what it said when it did; read its lines from the first."""
        (self.path / _STOP).unlink(missing_ok=True)
        if (self.result() or {}).get("status") == "stopped":
            (self.path / _RESULT).unlink()
        self._read = 0

    def news(self) -> Iterator[Told]:
        """Give the whole lines that were not given yet; all of them again after the file has become shorter."""
        try:
            with (self.path / _PROGRESS).open("rb") as stream:
                if stream.seek(0, 2) < self._read:
                    self._read = 0
                stream.seek(self._read)
                for line in stream:
                    if not line.endswith(b"\n"):
                        return
                    self._read += len(line)
                    yield _told(json.loads(line))
        except FileNotFoundError:
            return

    def checkpoints(self) -> list[int]:
        """Give the steps of the checkpoints that are whole, in order."""
        found = (self.path / "checkpoints").glob(f"{_STEP}*/manifest.json")
        return sorted(int(manifest.parent.name.removeprefix(_STEP)) for manifest in found)

    def result(self) -> Json | None:
        """Give how the training ended; None while it has not."""
        try:
            found: Json = json.loads((self.path / _RESULT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found


def _told(line: Json) -> Told:
    loss, accuracy = line.get("valid_loss"), line.get("valid_accuracy")
    return Told(
        StepMetrics(
            int(line["step"]), line.get("train_loss"), line.get("train_accuracy"), loss, accuracy, loss, accuracy
        ),
        int(line["total_steps"]),
        int(line.get("tokens") or 0),
    )
