"""A workspace on this machine that speaks the REST calls of Databricks which this package makes, with faults."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from support.serving import CHATS, ENDPOINTS, ModelServing

TOKEN = "dapi-this-must-never-be-shown"
USER = "ann@shop.example"


@dataclass
class State:
    """What the workspace holds; `faults` are answers that come first, by the beginning of `METHOD path`."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    scopes: set[str] = field(default_factory=set)
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    grants: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    owners: dict[tuple[str, str], str] = field(default_factory=dict)
    jobs: dict[int, str] = field(default_factory=dict)
    runs: dict[int, list[str]] = field(default_factory=dict)
    started: list[dict[str, Any]] = field(default_factory=list)
    faults: list[tuple[str, int, str]] = field(default_factory=list)
    cut: int = 0
    serving: ModelServing = field(default_factory=ModelServing)
    requests: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), {key: found[0] for key, found in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = f"{self.command} {path}"
        self.state.requests.append(asked)
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._problem(401, "UNAUTHENTICATED")
        for fault in self.state.faults:
            if asked.startswith(fault[0]):
                self.state.faults.remove(fault)
                return self._problem(fault[1], fault[2])
        if path.startswith((ENDPOINTS, CHATS)):
            status, content = self.state.serving.serve(self.command, path, body)
            return self._send(status, json.dumps(content).encode())
        for prefix, answer in (
            ("/api/2.0/fs/files", self._file),
            ("/api/2.0/fs/directories", self._folder),
            ("/api/2.0/secrets/get", self._secret),
            ("/api/2.0/secrets/list", self._scope),
            ("/api/2.1/unity-catalog/effective-permissions/", self._grants),
            ("/api/2.1/unity-catalog/", self._securable),
            ("/api/2.0/preview/scim/v2/Me", self._me),
            ("/api/2.2/jobs/", self._job),
        ):
            if path.startswith(prefix):
                return answer(path.removeprefix(prefix), query, body)
        return self._problem(404, "ENDPOINT_NOT_FOUND")

    do_GET = do_PUT = do_POST = do_HEAD = do_PATCH = do_DELETE = _serve

    def _file(self, path: str, query: dict[str, str], body: bytes) -> None:
        del query
        if self.command == "PUT":
            cut, self.state.cut = self.state.cut, 0
            self.state.files[path] = body[: len(body) - cut]
            return self._send(204, b"")
        if path not in self.state.files:
            return self._problem(404, "NOT_FOUND")
        if self.command == "DELETE":
            del self.state.files[path]
            self.state.folders.add(path.rpartition("/")[0])
            return self._send(204, b"")
        return self._send(200, self.state.files[path], "application/octet-stream")

    def _folder(self, path: str, query: dict[str, str], body: bytes) -> None:
        del query, body
        if self.command == "PUT":
            self.state.folders.add(path)
            return self._send(204, b"")
        inside = sorted({name for name in (*self.state.files, *self.state.folders) if name.startswith(f"{path}/")})
        if path not in self.state.folders and not inside:
            return self._problem(404, "NOT_FOUND")
        if self.command == "DELETE":
            if inside:
                return self._problem(400, "DIRECTORY_NOT_EMPTY")
            self.state.folders.remove(path)
            return self._send(204, b"")
        names = dict.fromkeys(name.removeprefix(f"{path}/").partition("/")[0] for name in inside)
        contents = [self._entry(f"{path}/{name}") for name in names]
        return self._json({"contents": contents})

    def _entry(self, path: str) -> dict[str, Any]:
        found = {"path": path, "name": path.rpartition("/")[2], "is_directory": path not in self.state.files}
        if path in self.state.files:
            data = self.state.files[path]
            found |= {"file_size": len(data), "last_modified": hash(data) & 0xFFFFFF}
        return found

    def _secret(self, path: str, query: dict[str, str], body: bytes) -> None:
        del path, body
        found = self.state.secrets.get((query["scope"], query["key"]))
        if found is None:
            return self._problem(404, "RESOURCE_DOES_NOT_EXIST")
        return self._json({"key": query["key"], "value": base64.b64encode(found.encode()).decode()})

    def _scope(self, path: str, query: dict[str, str], body: bytes) -> None:
        del path, body
        keys = [key for scope, key in self.state.secrets if scope == query["scope"]]
        if not keys and query["scope"] not in self.state.scopes:
            return self._problem(404, "RESOURCE_DOES_NOT_EXIST")
        return self._json({"secrets": [{"key": key} for key in keys]} if keys else {})

    def _grants(self, path: str, query: dict[str, str], body: bytes) -> None:
        del query, body
        kind, _, name = path.partition("/")
        if (kind.lower(), name) not in self.state.grants:
            return self._problem(404, "RESOURCE_DOES_NOT_EXIST")
        held = [{"privilege": each} for each in self.state.grants[kind.lower(), name]]
        return self._json({"privilege_assignments": [{"principal": USER, "privileges": held}]} if held else {})

    def _securable(self, path: str, query: dict[str, str], body: bytes) -> None:
        del query, body
        kind, _, name = path.partition("/")
        if (kind, name) not in self.state.owners:
            return self._problem(404, "RESOURCE_DOES_NOT_EXIST")
        return self._json({"name": name, "full_name": name, "owner": self.state.owners[kind, name]})

    def _me(self, path: str, query: dict[str, str], body: bytes) -> None:
        del path, query, body
        return self._json({"id": "1", "userName": USER})

    def _job(self, path: str, query: dict[str, str], body: bytes) -> None:
        if path == "list":
            known = [{"job_id": number, "settings": {"name": name}} for number, name in self.state.jobs.items()]
            wanted = query.get("name")
            return self._json({"jobs": [each for each in known if wanted in (None, each["settings"]["name"])]})
        if path == "run-now":
            self.state.started.append(json.loads(body))
            return self._json({"run_id": 900 + len(self.state.started)})
        states = self.state.runs[int(query["run_id"])]
        state = states.pop(0) if len(states) > 1 else states[0]
        life, _, result = state.partition(" ")
        said = {"life_cycle_state": life, **({"result_state": result} if result else {})}
        return self._json({"run_id": int(query["run_id"]), "state": said, "run_page_url": "https://w.example/run"})

    def _problem(self, status: int, code: str) -> None:
        body = json.dumps({"error_code": code, "message": f"{code}: row 4711 says my card is 4111"}).encode()
        self._send(status, body, **({"retry-after": "0"} if status in (429, 503) else {}))

    def _json(self, content: dict[str, Any]) -> None:
        self._send(200, json.dumps(content).encode())

    def _send(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("last-modified", formatdate(0, usegmt=True))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output free of access lines."""


@contextmanager
def serve_workspace() -> Iterator[tuple[str, State]]:
    """Serve an empty workspace and give its address and what it holds."""
    state = State()
    handler = type("Handler", (_Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", state
        finally:
            server.shutdown()
            thread.join()
