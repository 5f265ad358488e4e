"""Starting and stopping the local service as a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from finelake.errors import EnvironmentProblem

_START_SECONDS = 30.0
_STOP_SECONDS = 90.0
"""Longer than a training process may take to keep what it has learned."""


@dataclass(frozen=True, slots=True)
class Running:
    """A local service that answers: its process, and its address without a path."""

    pid: int
    url: str


def ensure_service(
    *,
    port: int,
    state: Path,
    api_key: str,
    options: Mapping[str, float],
    environment: Callable[[], Mapping[str, str]] = dict,
) -> Running:
    """Make sure that a service answers on the port with this state; one that runs already is used as it is.

    Port 0 takes the one that runs, or a free one. `options` are those of `python -m finelake.emulator`; `environment`
    gives variables beside this process's own. Raises EnvironmentProblem with the end of its log when it does not start.
    """
    running = find_service(state, port)
    if running is not None:
        return running
    state.mkdir(parents=True, exist_ok=True)
    log = state / "service.log"
    chosen = {"port": port, **options}
    arguments = [text for name, value in chosen.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "finelake.emulator", "--state", str(state), *arguments],
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment(), "FINELAKE_EMULATOR_KEY": api_key},
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        running = find_service(state, port)
        if running is not None:
            return running
        if process.poll() is not None and not _is_held(state):
            last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            raise EnvironmentProblem(f"The local service did not start: {last} (log: {log})")
        time.sleep(0.1)
    process.terminate()
    raise EnvironmentProblem(f"The local service did not answer within {_START_SECONDS:.0f} s. Its log: {log}")


def stop_service(pid: int) -> None:
    """End the service and wait until it is gone."""
    deadline = time.monotonic() + _STOP_SECONDS
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.waitpid(pid, os.WNOHANG)
            time.sleep(0.1)
            os.kill(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def find_service(state: Path, port: int = 0) -> Running | None:
    """Give the service that holds the state folder's lock and answers on the port; port 0 is any.

    Raises EnvironmentProblem when it answers on another port.
    """
    if not _is_held(state):
        return None
    try:
        described = json.loads((state / "service.json").read_text(encoding="utf-8"))
        pid = int(described["pid"])
    except (OSError, ValueError):
        return None
    if not _is_alive(pid):
        # What a service that was killed has left; the one that holds the lock now has not replaced it yet.
        return None
    if port not in (0, described["port"]):
        raise EnvironmentProblem(
            f"A local service with the state {state} answers on port {described['port']}, not {port}. "
            f"Use that port, or end process {described['pid']}."
        )
    return Running(pid, str(described["url"]))


def _is_held(state: Path) -> bool:
    try:
        with (state / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
