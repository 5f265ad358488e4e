"""Start the service as a process of its own: one port on the loopback interface, one state folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import json
import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path
from types import FrameType

import uvicorn

from finelake.emulator.app import build_app
from finelake.emulator.options import EmulatorOptions
from finelake.emulator.services import build_services
from finelake.errors import ConfigError, EnvironmentProblem

logger = logging.getLogger(__name__)

READY_FILE = "service.json"

_TRIES, _TRY_SECONDS = 20, 0.02


def run_server(*, host: str, port: int, state_folder: Path, api_key: str, options: EmulatorOptions) -> None:
    """Do what `finelake.emulator.serve` says."""
    if not api_key:
        raise ConfigError("The emulator needs a key: pass --api-key or set FINELAKE_EMULATOR_KEY.")
    address = _loopback(host)
    state_folder.mkdir(parents=True, exist_ok=True)
    with (state_folder / "lock").open("w") as lock, _listen(address, port) as listener:
        _take(lock.fileno(), state_folder)
        ready = state_folder / READY_FILE
        ready.unlink(missing_ok=True)
        services = build_services(state_folder, options)
        config = uvicorn.Config(
            build_app(services, api_key=api_key), log_config=None, access_log=False, timeout_graceful_shutdown=5
        )
        services.worker.start()
        _end_by_interrupt(signal.SIGTERM)
        try:
            with contextlib.suppress(KeyboardInterrupt):
                _Server(config, ready=ready, address=address).run(sockets=[listener])
        finally:
            services.worker.stop()
            services.store.close()
            ready.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """A server that says in a file where it answers."""

    def __init__(self, config: uvicorn.Config, *, ready: Path, address: str) -> None:
        super().__init__(config)
        self._ready = ready
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, then write the file."""
        await super().startup(sockets=sockets)
        if not self.started or not sockets:
            return
        port = sockets[0].getsockname()[1]
        url = f"http://{self._address}:{port}"
        part = self._ready.with_suffix(".part")
        part.write_text(json.dumps({"pid": os.getpid(), "port": port, "url": url}), encoding="utf-8")
        part.replace(self._ready)
        logger.info(
            "finelake emulator at %s: a rehearsal of fine-tuning with an n-gram model, not a language model", url
        )


def _end_by_interrupt(number: signal.Signals) -> None:
    """Make a signal end the service like Ctrl-C: uvicorn sends it again when it has shut down."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(number, interrupt)


def _loopback(host: str) -> str:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        found = None
    if found != ipaddress.ip_address("127.0.0.1"):
        raise ConfigError(f"The emulator answers on 127.0.0.1 only, not on '{host}'; leave host out.")
    return address


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
            raise EnvironmentProblem(f"Port {port} of {address} cannot be opened: {error.strerror}.") from error
        raise EnvironmentProblem(
            f"Port {port} of {address} is in use by another program; end that program, or choose another port with "
            "--port (0 takes a free one)."
        ) from error
    return listener


def _take(lock: int, state_folder: Path) -> None:
    """Take the lock; who only looks whether it is held holds it for a moment too."""
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_TRY_SECONDS)
    raise EnvironmentProblem(
        f"The state folder {state_folder} is in use by another emulator; end it, or choose another with --state."
    )
