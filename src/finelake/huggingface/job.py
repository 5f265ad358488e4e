"""What a training process is told: `job.json` in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, model_validator

from finelake.config.huggingface import Hyperparameters
from finelake.config.section import PositiveInt, Section
from finelake.errors import FinelakeError

Method = Literal["sft", "dpo"]
Tuning = Literal["lora", "qlora", "full"]

_RATES: dict[tuple[Method, bool], float] = {
    ("sft", True): 2e-4,
    ("sft", False): 2e-5,
    ("dpo", True): 1e-5,
    ("dpo", False): 1e-6,
}


class JobError(FinelakeError, ValueError):
    """Raised when a training job cannot be done as it was told; `code` is what result.json names."""

    exit_code = 3

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ModelSource(Section):
    """The model to begin from.

    `source` is a folder, a hub name or `models:/catalog.schema.name/version`; `adapter` the folder of an adapter that
    is trained on; `chat_template` a Jinja file to use in place of the tokenizer's own.
    """

    source: str
    adapter: str | None = None
    chat_template: str | None = None


class Data(Section):
    """Files to learn from and to measure on: JSON Lines as published, or `manifest.json` of shards."""

    train: str
    validation: str | None = None


class Job(Section):
    """One training job; `checkpoint_steps` left out means a checkpoint at the end of each epoch.

    `processes` are started by Spark's TorchDistributor where there are several: on this machine, or with
    `spread: cluster` as tasks of the cluster, which needs the folder to be seen by every node.
    """

    model: ModelSource
    data: Data
    method: Method = "sft"
    tuning: Tuning = "lora"
    hyperparameters: Hyperparameters = Hyperparameters()
    checkpoint_steps: PositiveInt | None = None
    keep_checkpoints: PositiveInt = 3
    processes: PositiveInt = 1
    spread: Literal["node", "cluster"] = "node"

    @model_validator(mode="after")
    def _batches_add_up(self) -> Job:
        together = (self.hyperparameters.micro_batch or 1) * self.processes
        if self.hyperparameters.batch_size % together:
            raise ValueError(
                f"hyperparameters.batch_size {self.hyperparameters.batch_size} is no multiple of "
                f"micro_batch x processes ({together})"
            )
        return self

    @property
    def micro_batch(self) -> int:
        """How many examples a process takes at once."""
        return self.hyperparameters.micro_batch or self.hyperparameters.batch_size // self.processes

    @property
    def learning_rate(self) -> float:
        """The rate asked for, or the default of method and tuning; times the multiplier."""
        rate = self.hyperparameters.learning_rate or _RATES[self.method, self.tuning != "full"]
        return rate * self.hyperparameters.learning_rate_multiplier

    @property
    def accumulation(self) -> int:
        """How many micro batches of a process make a step."""
        return self.hyperparameters.batch_size // (self.micro_batch * self.processes)


def read_job(path: Path) -> Job:
    """Read job.json. Raises JobError (`invalid_job`) that lists every mistake with its key."""
    try:
        return Job.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise JobError("invalid_job", f"{path} cannot be read ({type(error).__name__}). Write the job there.") from None
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or '(job)'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_url=False)
        )
        raise JobError("invalid_job", f"{path}: {found}. Correct it there.") from None
    except ValueError:
        raise JobError("invalid_job", f"{path} is not valid JSON. Write it again.") from None
