"""The web application: routers on their prefixes, error envelopes, and the mark on every response."""

from __future__ import annotations

import logging
import uuid

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finelake.emulator.errors import ApiError, envelope, invalid
from finelake.emulator.idleness import Idleness
from finelake.emulator.meddling import Meddler
from finelake.emulator.routes_arm import ArmRoutes
from finelake.emulator.routes_chat import AzureChatRoutes, OpenAIChatRoutes
from finelake.emulator.routes_files import FileRoutes
from finelake.emulator.routes_jobs import JobRoutes
from finelake.emulator.security import (
    Body,
    DataPlaneGuard,
    refuse_dated_version,
    require_bearer,
    require_dated_version,
)
from finelake.emulator.services import Services
from finelake.emulator.wire import surface_of

logger = logging.getLogger(__name__)


def build_app(services: Services, *, api_key: str) -> FastAPI:
    """Build the application; it answers no host name but that of the loopback interface."""
    app = FastAPI(title="finelake emulator: a rehearsal, not a language model", docs_url=None, redoc_url=None)
    azure = Depends(DataPlaneGuard("azure", api_key=api_key))
    openai = Depends(DataPlaneGuard("openai", api_key=api_key))
    dated, v1 = Depends(require_dated_version), Depends(refuse_dated_version)
    for router in (
        FileRoutes(services, "azure", with_uploads=False).router,
        JobRoutes(services, "azure").router,
        AzureChatRoutes(services, dated=False).router,
    ):
        app.include_router(router, prefix="/openai/v1", dependencies=[azure, v1])
    for router in (
        FileRoutes(services, "azure", with_uploads=True).router,
        JobRoutes(services, "azure").router,
        AzureChatRoutes(services, dated=True).router,
    ):
        app.include_router(router, prefix="/openai", dependencies=[azure, dated])
    for router in (
        FileRoutes(services, "openai", with_uploads=True).router,
        JobRoutes(services, "openai").router,
        OpenAIChatRoutes(services).router,
    ):
        app.include_router(router, prefix="/v1", dependencies=[openai])
    app.include_router(ArmRoutes(services).router, dependencies=[Depends(require_bearer)])
    app.include_router(_RehearsalRoutes(services).router, prefix="/rehearsal", dependencies=[azure])
    _add_error_handlers(app)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.add_middleware(Meddler, plan=services.faults)
    app.add_middleware(RehearsalMark, idleness=services.idleness)
    return app


class RehearsalMark:
    """Mark every response as a rehearsal and give it a request id."""

    def __init__(self, app: ASGIApp, *, idleness: Idleness) -> None:
        self._app = app
        self._idleness = idleness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to what comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._idleness.note_request()
        request_id = str(uuid.uuid4())

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-finelake-rehearsal"] = "true"
                headers["x-request-id"] = request_id
                if scope["path"].startswith("/openai"):
                    headers["apim-request-id"] = request_id
            await send(message)

        await self._app(scope, receive, marked)


class _RehearsalRoutes:
    """The paths that no real service has: the rehearsal's own clock, and its faults."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.router = APIRouter()
        self.router.add_api_route("/clock", self.show, methods=["GET"])
        self.router.add_api_route("/clock/advance", self.advance, methods=["POST"])
        self.router.add_api_route("/faults", self.faults, methods=["GET"])
        self.router.add_api_route("/faults", self.plan, methods=["POST"])

    def show(self) -> Response:
        """Tell the service's time."""
        return JSONResponse({"now": self._services.clock.now()})

    def faults(self) -> Response:
        """Tell which faults were met since the schedule began, and whether a request is held."""
        return JSONResponse(self._services.faults.view())

    def plan(self, body: Body) -> Response:
        """Begin a new schedule of faults: seed, rate, limit, kinds, hold."""
        return JSONResponse(self._services.faults.reset(body))

    def advance(self, body: Body) -> Response:
        """Move the clock forward by `seconds`."""
        seconds = body.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise invalid("seconds must be a number.", param="seconds")
        return JSONResponse({"now": self._services.clock.advance(float(seconds))})


def _add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ApiError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_wrong_request)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_crash)


def _answer_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        return _answer_crash(request, error)
    return JSONResponse(envelope(error, surface=surface_of(request.url.path)), error.status, error.headers)


def _answer_wrong_request(request: Request, error: Exception) -> Response:
    fields = [str(one["loc"][-1]) for one in error.errors()] if isinstance(error, RequestValidationError) else []
    return _answer_error(
        request, invalid(f"Missing or wrong: {', '.join(fields)}.", param=fields[0] if fields else None)
    )


def _answer_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code, message = ("404", "Resource not found") if status == 404 else (str(status), str(error))
    return _answer_error(request, ApiError(status, code, message))


def _answer_crash(request: Request, error: Exception) -> Response:
    logger.error("the request %s %s failed", request.method, request.url.path, exc_info=error)
    return _answer_error(request, ApiError(500, "internalFailure", "The service had an error."))
