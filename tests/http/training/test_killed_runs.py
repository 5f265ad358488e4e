"""Drivers that are killed around every effect, and drivers that start at once: one job, one file a hash."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.http.training.connect_server import connect_server
from tests.http.training.setting import (
    KEY,
    KEY_VARIABLE,
    ROOT,
    Service,
    driver_environment,
    publish_examples,
    running_service,
    settings_for,
)

from finelake.config.settings import Settings
from finelake.errors import RunBusyError
from finelake.services.connect import connect
from finelake.training.driver import train

pytestmark = [pytest.mark.http, pytest.mark.spark]

BOUNDARIES = (
    ("POST", "/files", (0, 0, 0), (0, 1, 0)),
    ("POST", "/files", (0, 1, 0), (0, 2, 0)),
    ("POST", "/fine_tuning/jobs", (0, 2, 0), (1, 2, 0)),
    ("PUT", "/deployments/shop-", (1, 2, 0), (1, 2, 1)),
    ("PUT", "/deployments/shop-base", (1, 2, 1), (1, 2, 2)),
)
"""Each effect of a run, and what is at the service (jobs, files, deployments) without and with it."""


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the service's key where the settings look for it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


@pytest.mark.usefixtures("key")
def test_a_driver_killed_before_and_after_every_effect_does_nothing_twice(spark: SparkSession, tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    with running_service(tmp_path / "service") as service, connect_server(tmp_path / "connect") as remote:
        settings = settings_for(tmp_path, url=service.url, service={"api": "dated"})
        for method, ending, without, then in BOUNDARIES:
            for when, left in (("before", without), ("after", then)):
                _faults(service, {"hold": {"at": 1, "when": when, "of": "effects"}})
                with _driver(settings, remote, tmp_path) as driver:
                    held = _killed_while_held(driver, service)
                _faults(service, {})
                assert (held["method"], held["when"]) == (method, when)
                assert ending in held["path"]
                assert _at_service(settings, service) == left, (held, when)
        outcome = train(spark, settings)
        assert service.jobs() == [outcome.job_id]
        assert _at_service(settings, service) == (1, 2, 2)


@pytest.mark.usefixtures("key")
def test_of_two_drivers_that_start_at_once_one_works_and_the_other_says_so(tmp_path: Path) -> None:
    publish_examples(tmp_path / "published")
    slow = {"training_seconds": 200.0}
    with running_service(tmp_path / "service", **slow) as service, connect_server(tmp_path / "connect") as remote:
        settings = settings_for(tmp_path, url=service.url)
        with _driver(settings, remote, tmp_path) as one, _driver(settings, remote, tmp_path) as other:
            said = [driver.communicate(timeout=300)[1].decode() for driver in (one, other)]
            ended = [one.returncode, other.returncode]
        assert sorted(ended) == [0, RunBusyError.exit_code], said
        assert "worked on by" in said[ended.index(RunBusyError.exit_code)]
        assert _at_service(settings, service) == (1, 2, 2)


@contextmanager
def _driver(settings: Settings, remote: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings_file = folder / "settings.json"
    settings_file.write_text(settings.model_dump_json(), encoding="utf-8")
    arguments = [sys.executable, "-m", "tests.http.training.killed", str(settings_file), remote]
    with subprocess.Popen(
        arguments, env=driver_environment(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _killed_while_held(driver: subprocess.Popen[bytes], service: Service) -> dict[str, Any]:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        held: dict[str, Any] | None = _faults(service)["holding"]
        if held is not None:
            driver.kill()
            assert driver.wait(timeout=30) == -signal.SIGKILL
            return held
        assert driver.poll() is None, driver.communicate()[1].decode()
        time.sleep(0.05)
    raise AssertionError("the driver did not come to its effect")


def _faults(service: Service, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(f"{service.url}/rehearsal/faults", headers={"api-key": KEY})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def _at_service(settings: Settings, service: Service) -> tuple[int, int, int]:
    with connect(settings.service) as connected:
        assert connected.deployments is not None
        return len(service.jobs()), len(service.file_names()), len(connected.deployments.every())
