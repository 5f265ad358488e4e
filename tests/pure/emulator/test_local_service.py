"""Which local service answers, told by its lock and by what it wrote."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finelake.errors import EnvironmentProblem
from finelake.services.local import Running, find_service


def describe(state: Path, pid: int) -> None:
    """Write what a service writes when it answers."""
    told = {"pid": pid, "port": 8123, "url": "http://127.0.0.1:8123"}
    (state / "service.json").write_text(json.dumps(told), encoding="utf-8")


def test_a_service_is_there_while_it_holds_the_lock(tmp_path: Path) -> None:
    assert find_service(tmp_path) is None
    describe(tmp_path, os.getpid())
    assert find_service(tmp_path) is None
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert find_service(tmp_path) == Running(os.getpid(), "http://127.0.0.1:8123")
        assert find_service(tmp_path, 8123) == find_service(tmp_path)
        with pytest.raises(EnvironmentProblem, match="answers on port 8123, not 8124"):
            find_service(tmp_path, 8124)
    assert find_service(tmp_path) is None


def test_what_a_killed_service_left_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    describe(tmp_path, gone.pid)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert find_service(tmp_path) is None
