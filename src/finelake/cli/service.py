"""Starting and stopping the local service as a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from finelake.errors import EnvironmentProblem

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


def start_in_foreground(*, port: int, state: Path, api_key: str, training_seconds: float) -> None:
    """Serve until ended. Raises EnvironmentProblem when the extra is missing or the port is taken."""
    try:
        from finelake.emulator import EmulatorOptions, serve
    except ImportError as error:
        raise EnvironmentProblem(f"The local service needs {error.name}: pip install 'finelake[emulator]'.") from None
    options = EmulatorOptions(training_seconds=training_seconds)
    serve(host="127.0.0.1", port=port, state_folder=state, api_key=api_key, options=options)


def ensure_service(*, port: int, state: Path, api_key: str, training_seconds: float) -> int:
    """Make sure that a service answers on the port with this state, and give its process id.

    One that runs already is used as it is. Raises EnvironmentProblem with the end of its log when it does not start.
    """
    running = _running(state, port)
    if running is not None:
        return running
    state.mkdir(parents=True, exist_ok=True)
    log = state / "service.log"
    arguments = ["--port", str(port), "--state", str(state), "--training-seconds", str(training_seconds)]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "finelake.emulator", *arguments],
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "FINELAKE_EMULATOR_KEY": api_key},
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            raise EnvironmentProblem(f"The local service did not start: {last} (log: {log})")
        if _running(state, port) == process.pid:
            return process.pid
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


def _running(state: Path, port: int) -> int | None:
    """Give the process that holds the state folder's lock and answers on the port."""
    try:
        with (state / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        pass
    try:
        described = json.loads((state / "service.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if described["port"] != port:
        raise EnvironmentProblem(
            f"A local service with the state {state} answers on port {described['port']}, not {port}. "
            f"Use that port, or end process {described['pid']}."
        )
    return int(described["pid"])
