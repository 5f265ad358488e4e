"""Errors as the service sends them: one exception, three envelopes.

Azure data plane and ARM: `{"error": {"code", "message"}}`; OpenAI: `{"error": {"message", "type", "param", "code"}}`.
"""

from __future__ import annotations

from collections.abc import Mapping

from finelake.emulator.wire import Json, Surface
from finelake.errors import ServiceError

_OPENAI_CODES = {
    "401": "invalid_api_key",
    "modelNotFound": "model_not_found",
    "quotaExceeded": "quota_exceeded",
    "jsonlValidationFailed": "invalid_training_file",
    "context_length_exceeded": "context_length_exceeded",
    "tooManyRequests": "rate_limit_exceeded",
}


class ApiError(ServiceError):
    """An answer with an error status; `code` is Azure's spelling, the OpenAI surface translates it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})


def invalid(message: str, *, param: str | None = None) -> ApiError:
    """Build the 400 of a request that is wrong in itself."""
    return ApiError(400, "invalidPayload", message, param=param)


def not_found(message: str) -> ApiError:
    """Build the 404 of a resource that does not exist."""
    return ApiError(404, "notFound", message)


def envelope(error: ApiError, *, surface: Surface) -> Json:
    """Render an error the way the surface's clients expect it."""
    if surface == "openai":
        kind = "server_error" if error.status >= 500 else "invalid_request_error"
        code = _OPENAI_CODES.get(error.code)
        return {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}
    body: Json = {"code": error.code, "message": error.message}
    if error.param is not None:
        body["target"] = error.param
    return {"error": body}
