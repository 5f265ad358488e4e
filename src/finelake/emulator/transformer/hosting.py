"""Chat servers behind the service: well-kept servers of others, each a process that is started when it is asked.

A server that an earlier service started is used again; one that nobody asked for a while is ended.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from finelake.emulator.errors import ApiError
from finelake.emulator.transformer.process import HeldProcess
from finelake.emulator.wire import Json
from finelake.files import write_whole

logger = logging.getLogger(__name__)

MOST_SERVERS = 2
"""How many servers run at once where each serves one model, so that a tuned model is compared with its base."""

IDLE_SECONDS = 600.0
_READY_SECONDS = 30.0
_ANSWER_SECONDS = 600.0
_END_SECONDS = 10.0
_TICK_SECONDS = 0.1


@dataclass(slots=True)
class _Server:
    """A server process, its address, when it was asked last (steady clock, seconds), and whether it ever answered."""

    folder: Path
    process: HeldProcess
    address: str
    asked_at: float
    answers: bool = False


class ChatServers:
    """Start servers by their command and pass requests on; safe for threads.

    While a server starts, requests get 429: that is waited out by everybody who asks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, _Server] = {}
        self._lock = threading.Lock()

    def ask(self, command: Sequence[str], model: str, body: Json) -> Json:
        """Pass a chat request on and give the answer; ApiError 429 while the server starts, 500 when it fails."""
        server = self._ready(command, model)
        try:
            answer = httpx.post(
                f"{server.address}/v1/chat/completions", json={**body, "model": model}, timeout=_ANSWER_SECONDS
            )
        except httpx.HTTPError as error:
            raise _broken(f"The model's server was lost ({type(error).__name__}); its log: {server.folder}") from None
        server.asked_at = time.monotonic()
        if answer.status_code == 200:
            completion: Json = answer.json()
            return completion
        if answer.status_code >= 500:
            raise _broken(f"The model's server failed ({answer.status_code}); its log: {server.folder}")
        raise ApiError(answer.status_code, "invalidPayload", f"The model's server refused it: {_reason(answer)}")

    def end_idle(self) -> None:
        """End the servers that were not asked for a while; called again and again by the background thread."""
        with self._lock:
            for key, server in list(self._servers.items()):
                if time.monotonic() - server.asked_at > IDLE_SECONDS:
                    self._end(key)

    def stop(self) -> None:
        """End all servers."""
        with self._lock:
            for key in list(self._servers):
                self._end(key)

    def _ready(self, command: Sequence[str], model: str) -> _Server:
        with self._lock:
            server = self._running(command, model)
        deadline = time.monotonic() + _READY_SECONDS
        while not (server.answers or _is_healthy(server.address)):
            if not server.process.is_running():
                how = server.process.how_it_ended
                raise _broken(f"The model's server {how} before it answered; its log: {server.folder}")
            if time.monotonic() > deadline:
                raise ApiError(429, "429", "The model's server is starting.", headers={"Retry-After": "5"})
            time.sleep(_TICK_SECONDS)
        server.answers = True
        return server

    def _running(self, command: Sequence[str], model: str) -> _Server:
        """Give the server of a model, or of all models where the command names none; start it where it is not."""
        names_model = any("{model}" in part for part in command)
        key = hashlib.sha256(json.dumps([*command, model if names_model else ""]).encode()).hexdigest()[:16]
        server = self._servers.get(key) or self._opened(key)
        if not server.process.is_running():
            self._make_room(key)
            server.answers = False
            server.address = f"http://127.0.0.1:{_free_port()}"
            _start(server, command, model)
        server.asked_at = time.monotonic()
        self._servers[key] = server
        return server

    def _opened(self, key: str) -> _Server:
        folder = self._folder / key
        process = HeldProcess(folder)
        told = folder / "address"
        address = told.read_text(encoding="ascii") if told.exists() else ""
        return _Server(folder, process, address, time.monotonic())

    def _make_room(self, key: str) -> None:
        others = sorted((one.asked_at, name) for name, one in self._servers.items() if name != key)
        for _, name in others[: max(0, len(others) - MOST_SERVERS + 1)]:
            self._end(name)

    def _end(self, key: str) -> None:
        server = self._servers.pop(key)
        logger.info("ending the chat server at %s", server.address)
        server.process.end(grace=_END_SECONDS)


def command_line(command: Sequence[str], *, model: str, port: str) -> list[str]:
    """Put this Python, the folder of the weights and the port into a server's command."""
    values = {"python": sys.executable, "port": port, "model": model}
    return [part.format_map(values) for part in command]


def _start(server: _Server, command: Sequence[str], model: str) -> None:
    write_whole(server.folder / "address", server.address)
    logger.info("starting a chat server at %s", server.address)
    try:
        server.process.start(
            command_line(command, model=model, port=server.address.rpartition(":")[2]),
            log=server.folder / "server.log",
            environment={**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_UPDATE_CHECK": "1"},
        )
    except OSError as error:
        raise _broken(f"The model's server could not be started: {command[0]}: {error.strerror}") from None


def _is_healthy(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=5.0).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reason(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    return detail[:200] if isinstance(detail, str) else str(answer.status_code)


def _broken(message: str) -> ApiError:
    return ApiError(500, "internalFailure", message)
