"""A process that outlives the service that started it, known by a lock that it holds.

The lock on a file belongs to the open file, which the process inherits: it lasts exactly as long as the process does,
whoever started it, and no number of a process can be taken for another's.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICK_SECONDS = 0.05


class HeldProcess:
    """At most one process for a folder; `lock` and `pid` lie in it. One thread at a time may use an object."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = folder / "lock"
        self._pid = folder / "pid"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None where none runs."""
        try:
            return int(self._pid.read_text(encoding="ascii")) if self.is_running() else None
        except (FileNotFoundError, ValueError):
            return None

    @property
    def how_it_ended(self) -> str:
        """Say how the last process ended, as far as that is known: one that an earlier service started is not."""
        code = None if self._child is None else self._child.poll()
        if code is None:
            return "ended"
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"

    def is_running(self) -> bool:
        """Tell whether a process holds the lock, also one that an earlier service started."""
        if self._child is not None and self._child.poll() is None:
            return True
        with self._lock.open("a") as probe:
            return not _took(probe.fileno())

    def start(self, command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> bool:
        """Start a process of a session of its own; False where one runs already. Raises OSError where it cannot."""
        with self._lock.open("a") as held, log.open("ab") as stream:
            if not _took(held.fileno()):
                return False
            self._pid.unlink(missing_ok=True)
            self._child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=dict(environment),
                pass_fds=(held.fileno(),),
                start_new_session=True,
            )
        part = self._pid.with_suffix(".part")
        part.write_text(str(self._child.pid), encoding="ascii")
        part.replace(self._pid)
        return True

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process; tell whether it has ended."""
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TICK_SECONDS)
        return True

    def end(self, *, grace: float) -> None:
        """Ask the process and its children to end, and end them when `grace` seconds are over."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            pid = self.pid
            if pid is None:
                return
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                return
            if self.wait(grace):
                return


def _took(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
