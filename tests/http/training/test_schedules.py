"""Seeded schedules of faults and kills; `python -m tests.http.training.schedules` runs hundreds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.http.training.schedules import Schedule
from tests.http.training.setting import ROOT, driver_environment

pytestmark = pytest.mark.http


def test_some_schedules_end_with_one_job_one_file_a_hash_and_two_deployments() -> None:
    command = [sys.executable, "-m", "tests.http.training.schedules", "--count", "40", "--seed", "7", "--seconds", "40"]
    done = subprocess.run(command, env=driver_environment(), cwd=ROOT, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    counts = json.loads(done.stdout)
    assert counts["schedules"] >= 1
    assert counts["starts"] >= counts["schedules"]


def test_a_seed_is_one_schedule_and_seeds_differ() -> None:
    drawn = [Schedule.drawn(seed) for seed in range(200)]
    assert drawn == [Schedule.drawn(seed) for seed in range(200)]
    assert {kill.place for schedule in drawn for kill in schedule.kills} == {"journal", "all", "effects"}
    assert {schedule.api for schedule in drawn} == {"v1", "dated"}
    assert any(schedule.rivals for schedule in drawn)
