"""A run whose driver, service and training process are killed ends as one that nothing has broken, with one job."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock
from typing import Any

import pytest
from tests.hf.service.conftest import COUNTS, STEPS, Road, streamed_settings
from tests.hf.service.setting import Seen, ended, publish_chats
from tests.http.training.sparkless import drive_without_spark

from finelake.config.settings import Settings
from finelake.emulator.transformer.process import HeldProcess
from finelake.services.connect import connect
from finelake.services.local import find_service
from finelake.training.progress import JobReport
from support.training_process import progress

pytestmark = [pytest.mark.http, pytest.mark.spark]


class Accidents(Seen):
    """Kills the training process, pauses the job and resumes it, kills the service, and interrupts the driver.

    Training waits at the step of the next accident until the driver, which polls, has seen it and the accident has
    come: however slow the driver is, each comes in its turn.
    """

    def __init__(self, settings: Settings, state: Path) -> None:
        super().__init__()
        self.settings, self.state = settings, state
        self.done: list[str] = []
        self._acts = [(6, self.kill_training), (12, self.pause), (18, self.kill_service), (24, self.interrupt)]
        self._held: int | None = None
        self._turn = Lock()

    def job_changed(self, report: JobReport) -> None:
        super().job_changed(report)
        if self.done[-1:] == ["pause"]:
            if report.state == "paused":
                self.resume()
        elif self._acts and (report.step or 0) >= self._acts[0][0]:
            with self._turn:
                _, act = self._acts.pop(0)
                try:
                    act()
                finally:
                    self._let_go()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the training process at the steps of the accidents during a block."""
        over = Event()
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(self._hold, over)
            try:
                yield
            finally:
                over.set()
                held.result()
                self._let_go()

    def _hold(self, over: Event) -> None:
        while not over.wait(0.01):
            with self._turn:
                if self._acts and self._held is None and self._reached(self._acts[0][0]):
                    self._held = self.training()
                    if self._held is not None:
                        os.kill(self._held, signal.SIGSTOP)

    def _reached(self, step: int) -> bool:
        jobs = self.state / "jobs"
        return jobs.exists() and any(line["step"] >= step for job in jobs.iterdir() for line in progress(job))

    def _let_go(self) -> None:
        if self._held is not None:
            with suppress(ProcessLookupError):
                os.kill(self._held, signal.SIGCONT)
            self._held = None

    def job(self) -> str:
        """Give the id of the only job."""
        (folder,) = (self.state / "jobs").iterdir()
        return folder.name

    def training(self) -> int | None:
        """Give the process id of the training, None where none runs."""
        return HeldProcess(self.state / "processes" / self.job()).pid

    def kill_training(self) -> None:
        """End the training process outright."""
        pid = self.training()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.done.append("training")

    def kill_service(self) -> None:
        """End the service outright; the training process goes on."""
        running = find_service(self.state)
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        assert HeldProcess(self.state / "processes" / self.job()).is_running()
        self.done.append("service")

    def pause(self) -> None:
        """Pause the job as a user would."""
        with connect(self.settings.service) as service:
            service.client.fine_tuning.jobs.pause(self.job())
        self.done.append("pause")

    def resume(self) -> None:
        """Let the paused job go on."""
        with connect(self.settings.service) as service:
            service.client.fine_tuning.jobs.resume(self.job())
        self.done.append("resume")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.done.append("driver")
        raise KeyboardInterrupt


class Watched(Seen):
    """Ends the driver when the job has ended: what is deployed then is another test's."""

    def finished(self, step: str, detail: str) -> None:
        super().finished(step, detail)
        if step == "watch":
            raise KeyboardInterrupt


def result_of(folder: Path) -> dict[str, Any]:
    """Read how a training process ended."""
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


def test_kills_pause_and_resume_leave_one_job_and_the_same_weights(
    road: Road, tmp_path: Path, tiny_model: Path
) -> None:
    publish_chats(tmp_path / "published", **COUNTS)
    shards = Path(str(road.settings.shards.folder))
    settings, state = streamed_settings(tmp_path, tiny_model, shards), tmp_path / "hf" / "service"
    accidents = Accidents(settings, state)
    with ended(tmp_path):
        with accidents.holding(), pytest.raises(KeyboardInterrupt):
            drive_without_spark(settings, tmp_path / "journals", progress=accidents)
        with pytest.raises(KeyboardInterrupt):
            drive_without_spark(settings, tmp_path / "journals", progress=Watched())
        with connect(settings.service) as service:
            jobs, files = list(service.jobs()), list(service.files())
            table = service.client.files.content(jobs[0].result_files[0]).text.splitlines()
    assert accidents.done == ["training", "pause", "resume", "service", "driver"]
    assert len(jobs) == 1
    assert jobs[0].status == "succeeded"
    assert len([file for file in files if file.purpose == "fine-tune"]) == 2
    assert [line.split(",")[0] for line in table[1:]] == [str(step) for step in range(1, STEPS + 1)]
    lines = (state / "jobs" / jobs[0].id / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, STEPS + 1))
    asked = json.loads((state / "jobs" / jobs[0].id / "job.json").read_text(encoding="utf-8"))
    assert asked["data"] == {"train": str(shards), "validation": str(shards)}
    broken, unbroken = result_of(state / "jobs" / jobs[0].id), result_of(road.job_folder)
    assert broken["resumed_at"] > 0 == unbroken["resumed_at"]
    assert broken["sha256"] == unbroken["sha256"]
    assert broken["data"]["rows"] == COUNTS["train"]
