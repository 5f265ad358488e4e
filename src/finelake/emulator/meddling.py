"""The layer between clients and the service that carries out the faults of a plan."""

from __future__ import annotations

import asyncio
import contextlib
import time
from email.utils import formatdate

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finelake.emulator.errors import ApiError, envelope
from finelake.emulator.faults import Fault, FaultPlan, changed
from finelake.emulator.wire import surface_of

_HOLD_SECONDS = 120.0
_WAIT_SECONDS = 1
_PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


class Meddler:
    """Pass requests on, or do to them what the plan says."""

    def __init__(self, app: ASGIApp, *, plan: FaultPlan) -> None:
        self._app = app
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/rehearsal"):
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        fault, held = self._plan.next(method, path)
        if held is not None:
            if held.when == "after":
                await _answered(self._app, scope, receive)
            self._plan.tell_holding(method, path, held.when)
            await _until_gone(receive)
        elif fault is None:
            await self._app(scope, receive, send)
        elif fault.when == "before":
            await _drained(receive)
            await _refuse(fault, scope, receive, send)
        else:
            await self._spoil(fault, scope, receive, send)

    async def _spoil(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        messages = await _answered(self._app, scope, receive)
        if fault.when == "after":
            await _refuse(fault, scope, receive, send)
            return
        start, body = messages[0], b"".join(message.get("body", b"") for message in messages[1:])
        if start["status"] == 200:
            body = changed(fault.kind, body)
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
        await send(start)
        await send({"type": "http.response.body", "body": body})


async def _answered(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    """Let the service act, and keep its answer."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return messages


async def _drained(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


async def _until_gone(receive: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HOLD_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _refuse(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    kind = fault.kind.removeprefix("lost_")
    if kind == "cut":
        # An answer that ends before its announced length: the server closes the connection.
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        return
    if kind == "page":
        status = 200 if fault.when == "after" else 502
        await Response(_PAGE, status, media_type="text/html")(scope, receive, send)
        return
    if kind == "json":
        await Response(b'{"id": "file-', 200, media_type="application/json")(scope, receive, send)
        return
    error = _ERRORS[kind]
    headers = {"retry-after": str(_WAIT_SECONDS)} if kind == "throttled" else {}
    if kind == "throttled_date":
        headers = {"retry-after": formatdate(time.time() + _WAIT_SECONDS, usegmt=True)}
    view = envelope(error, surface=surface_of(scope["path"]))
    await JSONResponse(view, error.status, headers)(scope, receive, send)


_THROTTLED = ApiError(429, "tooManyRequests", "Too many requests. Please retry later.")
_ERRORS = {
    "unauthorized": ApiError(401, "401", "The access token has expired."),
    "missing": ApiError(404, "notFound", "The resource was not found."),
    "conflict": ApiError(409, "RequestConflict", "Another operation is being performed on the parent resource."),
    "throttled": _THROTTLED,
    "throttled_date": _THROTTLED,
    "failed": ApiError(503, "serviceUnavailable", "The service is not available."),
}
