"""A chat endpoint over real HTTP whose answers a test decides, and a recorder in front of another service."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Response:
    """What the server sends back; a status of 0 cuts the connection."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Responder = Callable[[str, Mapping[str, str], bytes], Response]


@dataclass(slots=True)
class Recorder:
    """The chat requests that arrived, and the responses that they got."""

    url: str = ""
    seen: list[tuple[str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, body: bytes, status: int) -> None:
        with self.lock:
            self.seen.append((payload_digest(json.loads(body)), status))

    def answered(self) -> Counter[str]:
        """Count the requests that were answered with status 200, by payload."""
        with self.lock:
            return Counter(key for key, status in self.seen if status == 200)

    def statuses(self) -> Counter[int]:
        with self.lock:
            return Counter(status for _, status in self.seen)


def payload_digest(payload: Mapping[str, Any]) -> str:
    text = json.dumps(payload, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def completion(content: str | None, *, finish_reason: str = "stop", **message: object) -> Response:
    """Build a chat completion with one choice."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "system_fingerprint": "fp_test",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
    }
    return Response(200, json.dumps(body).encode())


def refusal(status: int, code: str | None, **headers: str) -> Response:
    """Build an error response; underscores in header names stand for hyphens."""
    body = json.dumps({"error": {"message": "refused", "type": "invalid_request_error", "param": None, "code": code}})
    return Response(status, body.encode(), {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def chat_server(respond: Responder) -> Iterator[Recorder]:
    """Serve on a free loopback port until the block ends."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            response = respond(self.path, dict(self.headers), body)
            recorder.note(body, response.status)
            if response.status == 0:
                self.close_connection = True
                return
            self.send_response(response.status)
            for name, value in {"content-type": "application/json", **response.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output free of request lines."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def forward_to(address: str) -> Responder:
    """Pass each request on to the service at `address` and give its response back."""
    target = urlsplit(address)

    def respond(path: str, headers: Mapping[str, str], body: bytes) -> Response:
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() in {"authorization", "content-type"}}
            connection.request("POST", path, body=body, headers=kept)
            answer = connection.getresponse()
            found = {name: answer.headers[name] for name in ("retry-after", "content-type") if name in answer.headers}
            return Response(answer.status, answer.read(), found)
        finally:
            connection.close()

    return respond
