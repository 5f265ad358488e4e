"""Who holds a lease: one driver object in one process, named so that another driver can tell whether it lives."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from pathlib import Path

_STATE, _STARTED = 0, 19
_ENDED = {"Z", "X"}


def new_holder() -> str:
    """Name this driver: host, machine, process id, start of the process, and a part that no other driver has."""
    pid = os.getpid()
    return "/".join([socket.gethostname(), _machine(), str(pid), _started(pid) or "-", secrets.token_hex(4)])


def described(holder: str) -> str:
    """Say who a holder is, for people."""
    parts = holder.split("/")
    return f"process {parts[2]} on {parts[0]}" if len(parts) == 5 else "another driver"


def is_dead(holder: str) -> bool:
    """Tell whether a holder's process has surely ended; False for processes of other machines and containers."""
    parts = holder.split("/")
    if len(parts) != 5 or parts[0] != socket.gethostname() or parts[1] != _machine():
        return False
    pid, started = int(parts[2]), parts[3]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return started not in {"-", _started(pid) or started}


def _machine() -> str:
    """Stand for this boot of this machine and the names that its processes have in this container."""
    parts = []
    for place in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        path = Path(place)
        try:
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text(encoding="ascii"))
        except OSError:
            parts.append("")
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:8]


def _started(pid: int) -> str | None:
    """Give when a process started, in ticks since boot; "ended" for one that only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return "ended" if fields[_STATE] in _ENDED else fields[_STARTED]
