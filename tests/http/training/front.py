"""A real HTTP server in front of the service that loses answers, refuses for a while, or changes what is said."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the answer that the service gave to it."""

    method: str
    path: str
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client gets instead; status 0 cuts the connection without an answer."""

    status: int
    body: bytes = b""
    retry_after: str | None = None


Meddler = Callable[[Exchange], Reply | None]


@dataclass(slots=True)
class Front:
    """Where the front answers, and which requests it has seen."""

    url: str
    seen: list[tuple[str, str]] = field(default_factory=list)

    def count(self, method: str, ending: str) -> int:
        """Count the requests of a method to paths that end so."""
        return sum(seen == method and path.endswith(ending) for seen, path in self.seen)


def once_each(*replies: tuple[str, str, Reply]) -> Meddler:
    """Give each reply once, to the first request of its method whose path ends so."""
    left = list(replies)
    lock = threading.Lock()

    def meddle(exchange: Exchange) -> Reply | None:
        with lock:
            for entry in left:
                if exchange.method == entry[0] and exchange.path.endswith(entry[1]):
                    left.remove(entry)
                    return entry[2]
        return None

    return meddle


@contextmanager
def front_of(url: str, meddle: Meddler) -> Iterator[Front]:
    """Answer on a free port for the length of a block; every request reaches the service first."""
    target = urlsplit(url).netloc
    front = Front(url="")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            content = self.rfile.read(length)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection = http.client.HTTPConnection(target, timeout=60)
            connection.request(self.command, self.path, body=content, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            path = urlsplit(self.path).path
            front.seen.append((self.command, path))
            reply = meddle(Exchange(self.command, path, answer.status, body))
            retry_after = answer.getheader("retry-after") if reply is None else reply.retry_after
            connection.close()
            self._answer(reply or Reply(answer.status, body, retry_after))

        def _answer(self, reply: Reply) -> None:
            self.close_connection = True
            if reply.status == 0:
                return
            self.send_response(reply.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(reply.body)))
            self.send_header("connection", "close")
            if reply.retry_after is not None:
                self.send_header("retry-after", reply.retry_after)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_DELETE = _forward

        def log_message(self, *arguments: object) -> None:
            """Stay silent: the tests look at `seen`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
