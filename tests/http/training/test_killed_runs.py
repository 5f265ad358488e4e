"""A run that is killed at any moment and started again: one job, one file a hash, one tuned deployment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.http.training.killed import CREATED, DEPLOYING, UPLOADED, WATCHING
from tests.http.training.setting import (
    KEY,
    KEY_VARIABLE,
    ROOT,
    Service,
    publish_examples,
    running_service,
    settings_for,
)

from finelake.config.settings import Settings
from finelake.services.connect import connect
from finelake.training.driver import train

pytestmark = [pytest.mark.http, pytest.mark.spark]


def test_a_run_that_is_killed_again_and_again_goes_on_where_it_was(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    publish_examples(tmp_path / "published")
    with running_service(tmp_path / "service") as service:
        settings = settings_for(tmp_path, url=service.url, service={"api": "dated"})
        for moment, jobs in ((UPLOADED, 0), (CREATED, 1), (WATCHING, 1), (DEPLOYING, 1)):
            assert _start_and_be_killed(settings, moment, tmp_path) == -signal.SIGKILL, moment
            assert (len(service.jobs()), len(service.file_names())) == (jobs, 2), moment
        created = service.jobs()
        outcome = train(spark, settings)
        assert service.jobs() == created == [outcome.job_id]
        assert len(service.file_names()) == 2
        assert _deployed(settings, service) == [outcome.base_deployment, outcome.deployment]


def _start_and_be_killed(settings: Settings, moment: str, folder: Path) -> int:
    settings_file = folder / "settings.json"
    settings_file.write_text(settings.model_dump_json(), encoding="utf-8")
    arguments = [str(settings_file), moment, str(folder / "warehouse")]
    return subprocess.run(
        [sys.executable, "-m", "tests.http.training.killed", *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        cwd=ROOT,
        capture_output=True,
        timeout=300,
        check=False,
    ).returncode


def _deployed(settings: Settings, service: Service) -> list[str]:
    names = ["shop-base", *(f"shop-{name}" for name in _run_ids(service))]
    with connect(settings.service) as connected:
        assert connected.deployments is not None
        return [name for name in names if connected.deployments.find(name) is not None]


def _run_ids(service: Service) -> list[str]:
    jobs = service.client.fine_tuning.jobs.list(limit=100).data
    suffixes = [str(getattr(job, "suffix", "")) for job in jobs]
    return [suffix.rsplit("-", 1)[-1][:8] for suffix in suffixes]
