"""Real processes that are known by the lock that they hold, also to a service that did not start them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finelake.emulator.transformer.process import HeldProcess

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(600)",
)
STARTER = """
import os, pathlib, sys
from finelake.emulator.transformer.process import HeldProcess
held = HeldProcess(pathlib.Path(sys.argv[1]))
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
held.start(sleep, log=pathlib.Path(sys.argv[2]), environment=os.environ)
os.kill(os.getpid(), 9)
"""


def test_one_process_a_folder(tmp_path: Path) -> None:
    held, other = HeldProcess(tmp_path / "place"), HeldProcess(tmp_path / "place")
    assert not held.is_running()
    assert held.pid is None
    assert held.start(SLEEP, log=tmp_path / "log", environment=os.environ)
    assert not other.start(SLEEP, log=tmp_path / "log", environment=os.environ)
    assert held.is_running()
    assert other.is_running()
    assert other.pid == held.pid
    other.end(grace=10.0)
    assert not held.is_running()
    assert held.how_it_ended == "was ended by signal 15"
    assert other.how_it_ended == "ended"


def test_a_process_whose_starter_was_killed_is_found_and_can_be_ended(tmp_path: Path) -> None:
    place = tmp_path / "place"
    done = subprocess.run([sys.executable, "-c", STARTER, str(place), str(tmp_path / "log")], check=False)
    assert done.returncode == -signal.SIGKILL
    held = HeldProcess(place)
    assert held.is_running()
    assert not held.wait(0.2)
    pid = held.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert held.wait(10.0)
    assert held.pid is None
    assert held.start(SLEEP, log=tmp_path / "log", environment=os.environ)
    held.end(grace=10.0)


def test_a_process_that_does_not_end_when_asked_is_ended(tmp_path: Path) -> None:
    held, ready = HeldProcess(tmp_path / "place"), tmp_path / "ready"
    held.start([*STUBBORN, str(ready)], log=tmp_path / "log", environment=os.environ)
    while not ready.exists():
        assert held.is_running()
    held.end(grace=0.5)
    assert held.how_it_ended == "was ended by signal 9"


def test_how_a_process_ended_is_told(tmp_path: Path) -> None:
    held = HeldProcess(tmp_path / "place")
    held.start([sys.executable, "-c", "raise SystemExit(3)"], log=tmp_path / "log", environment=os.environ)
    assert held.wait(30.0)
    assert held.how_it_ended == "ended with code 3"
    with pytest.raises(FileNotFoundError):
        held.start(["no-such-program"], log=tmp_path / "log", environment=os.environ)
    assert not held.is_running()
