"""A training run in a process of its own that kills itself, as a crash would, at a chosen moment.

Run as `python -m tests.http.training.killed SETTINGS_FILE MOMENT WAREHOUSE`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from finelake.config.settings import SessionSettings, Settings
from finelake.session import spark_session
from finelake.training.driver import train
from finelake.training.progress import JobReport, Progress

UPLOADED, CREATED, WATCHING, DEPLOYING = "uploaded", "created", "watching", "deploying"


class Killer(Progress):
    """Kills this process with SIGKILL at one moment: after an effect at the service, before it is recorded."""

    def __init__(self, moment: str) -> None:
        self._moment = moment
        self._files = 0

    def noted(self, message: str) -> None:
        if message.startswith("file "):
            self._files += 1
            self._at(UPLOADED, happened=self._files == 2)
        self._at(CREATED, happened=message.startswith("fine-tuning job "))

    def job_changed(self, report: JobReport) -> None:
        self._at(WATCHING, happened=report.step is not None)

    def deployment_changed(self, name: str, state: str) -> None:
        self._at(DEPLOYING, happened=bool(name) and state in {"Accepted", "Creating"})

    def _at(self, moment: str, *, happened: bool) -> None:
        if happened and moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Train with the settings of a file until the moment comes."""
    settings_file, moment, warehouse = sys.argv[1:]
    settings = Settings.model_validate_json(Path(settings_file).read_text(encoding="utf-8"))
    session = SessionSettings(mode="local", cores=2, memory="1g", warehouse=warehouse)
    train(spark_session(session, app_name="finelake-killed"), settings, progress=Killer(moment))


if __name__ == "__main__":
    main()
