"""The whole road on a tiny model: trained by a process, deployed, asked; nothing is done twice after kills."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.chats_to_learn import chats
from tests.hf.service.setting import MODEL, local_settings, publish_chats
from tests.http.training.sparkless import drive_without_spark

from finelake.config.settings import Settings
from finelake.emulator.transformer.process import HeldProcess
from finelake.errors import PlanRefusedError
from finelake.services.connect import connect
from finelake.services.local import find_service, stop_service
from finelake.training.progress import JobReport, Progress

pytestmark = pytest.mark.http

QUESTION = chats(1)[0]["messages"][:2]


@pytest.fixture
def settings(tmp_path: Path, tiny_model: Path) -> Iterator[Settings]:
    """Settings of a run on this machine; its service is ended with the test."""
    publish_chats(tmp_path / "published")
    yield local_settings(tmp_path, tiny_model)
    running = find_service(tmp_path / "hf" / "service")
    if running is not None:
        stop_service(running.pid)


class Seen(Progress):
    """Keeps what it is told, and does something once when the job has come to a step."""

    def __init__(self, at: int = 10**9, act: Callable[[], None] | None = None) -> None:
        self.reports: list[JobReport] = []
        self.finished_steps: list[str] = []
        self._at, self._act = at, act

    def finished(self, step: str, detail: str) -> None:
        assert detail
        self.finished_steps.append(step)

    def job_changed(self, report: JobReport) -> None:
        self.reports.append(report)
        if self._act is not None and (report.step or 0) >= self._at:
            act, self._act = self._act, None
            act()


def jobs_of(settings: Settings) -> list[str]:
    """Give the ids of the jobs at the service."""
    with connect(settings.service) as service:
        return [job.id for job in service.jobs()]


def test_a_real_model_is_trained_chosen_deployed_and_asked(settings: Settings, tmp_path: Path) -> None:
    progress = Seen()
    outcome = drive_without_spark(settings, tmp_path / "journals", progress=progress)
    with connect(settings.service) as service:
        checkpoints = list(service.checkpoints(outcome.job_id))
        events = [event.message for event in service.events(outcome.job_id)]
        answers = [
            service.client.chat.completions.create(model=name, messages=QUESTION, max_tokens=24, temperature=0)
            for name in (outcome.base_deployment, outcome.deployment)
        ]
    again = drive_without_spark(settings, tmp_path / "journals")
    assert again.finished_before
    assert jobs_of(settings) == [outcome.job_id]
    losses = {one.step_number: one.metrics.full_valid_loss for one in checkpoints}
    assert len(losses) == settings.service.huggingface.keep_checkpoints
    assert None not in losses.values()
    assert outcome.deployed_model in {one.fine_tuned_model_checkpoint for one in checkpoints}
    assert min(losses.values()) < max(losses.values())
    assert any(message.startswith("Step 10: training loss=") for message in events)
    base, tuned = answers
    assert "left" in (tuned.choices[0].message.content or "")
    assert "left" not in (base.choices[0].message.content or "")
    assert tuned.usage is not None
    assert 0 < tuned.usage.completion_tokens <= 24
    assert base.system_fingerprint != tuned.system_fingerprint
