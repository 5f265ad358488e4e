"""Effect: a version of a registered model, once for its weights; a process of its own logs and registers it.

If the driver dies meanwhile the process goes on, and the next start waits for it. If the process dies: the next start
begins another, which finds by the weights' hash what is registered already.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finelake.config.settings import Settings
from finelake.databricks.workspace import sign_in_environment
from finelake.emulator.transformer.process import HeldProcess
from finelake.errors import ServiceError
from finelake.files import write_whole
from finelake.huggingface.folder import JobFolder
from finelake.huggingface.register import ASK, Ask
from finelake.huggingface.registry import base_name
from finelake.training.patience import Patience
from finelake.training.progress import Progress

_COMMAND = (sys.executable, "-m", "finelake.huggingface.register")
_LOG = "register.log"


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """What is needed to register the models of one run; only settings with `register_as` need any."""

    settings: Settings
    run: str
    patience: Patience
    progress: Progress

    def tuned(self, model: str, *, job_id: str, step: int | None) -> dict[str, Any] | None:
        """Register a job's model, or its checkpoint at a step; None where nothing is registered.

        Raises ServiceError that says why it could not be.
        """
        state = self._state
        if state is None:
            return None
        return self._ensure(state, model, folder=str(state / "jobs" / job_id), step=step)

    def base(self, model: str) -> dict[str, Any] | None:
        """Register the model before tuning, where endpoints serve; None where nothing is registered."""
        local, state = self.settings.service.huggingface, self._state
        if local is None or local.serving is None or state is None:
            return None
        return self._ensure(state, model, source=local.models[self.settings.model])

    @property
    def _state(self) -> Path | None:
        local = self.settings.service.huggingface
        if local is None or local.register_as is None:
            return None
        return Path(local.folder).absolute() / "service"

    def _ensure(self, state: Path, model: str, **what: Any) -> dict[str, Any]:
        ask = Ask(
            project=self.settings.project,
            run=self.run,
            tracking=self.settings.tracking,
            registered_as=self._name(of_base="source" in what),
            model=model,
            **what,
        )
        folder = state / "registered" / hashlib.sha256(ask.model_dump_json().encode()).hexdigest()[:16]
        told = JobFolder(folder).read_result()
        if told is None or told["status"] != "succeeded":
            told = self._registered(ask, folder)
        return {name: told[name] for name in ("name", "version", "model_uri")}

    def _name(self, *, of_base: bool) -> str:
        local = self.settings.service.huggingface
        name = str(local.register_as if local is not None else None)
        return base_name(name) if of_base else name

    def _registered(self, ask: Ask, folder: Path) -> dict[str, Any]:
        self.progress.noted(f"registering {ask.model} as a version of {ask.registered_as}")
        folder.mkdir(parents=True, exist_ok=True)
        process = HeldProcess(folder)
        if not process.is_running():
            JobFolder(folder).result.unlink(missing_ok=True)
            write_whole(folder / ASK, ask.model_dump_json(indent=1))
        environment = {**os.environ, **sign_in_environment()}
        process.start([*_COMMAND, str(folder)], log=folder / _LOG, environment=environment)
        while process.is_running():
            self.patience.clock.sleep(self.patience.pause)
        told = JobFolder(folder).read_result()
        if told is None:
            raise ServiceError(
                f"Registering {ask.model} {process.how_it_ended} without a result: it was killed, or the machine is "
                f"short of memory. Its log: {folder / _LOG}. Run the same again."
            )
        if told["status"] != "succeeded":
            raise ServiceError(
                f"{ask.model} could not be registered as a version of {ask.registered_as}: {told['message']} Its log: "
                f"{folder / _LOG}."
            )
        self.progress.noted(f"{told['name']} version {told['version']} is {ask.model}")
        return told
