"""Who may call: a key on the data planes, any bearer token on the control plane, and the right api-version."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

from fastapi import Request
from fastapi.params import Depends

from finelake.emulator.errors import ApiError, invalid
from finelake.emulator.wire import Json, Plane

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_DENIED = {
    "azure": (
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource."
    ),
    "openai": "Incorrect API key provided.",
}


async def json_body(request: Request) -> Json:
    """Read a JSON object; 400 for anything else, and an empty object for an empty body."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = await request.json()
    except ValueError:
        raise invalid("The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    return body


Body = Annotated[Json, Depends(json_body)]


class DataPlaneGuard:
    """Accept the key in `api-key` (Azure) or `Authorization: Bearer`; 401 otherwise."""

    def __init__(self, plane: Plane, *, api_key: str) -> None:
        self._plane = plane
        self._api_key = api_key.encode()

    async def __call__(self, request: Request) -> None:
        """Raise ApiError 401 for a missing or wrong key."""
        offered = [_bearer(request)]
        if self._plane == "azure":
            offered.append(request.headers.get("api-key", ""))
        if not any(secrets.compare_digest(key.encode(), self._api_key) for key in offered):
            raise ApiError(401, "401", _DENIED[self._plane])


async def require_dated_version(request: Request) -> None:
    """Raise 400 unless a dated api-version is given, as the dated paths demand."""
    if not _DATED.fullmatch(request.query_params.get("api-version", "")):
        raise ApiError(400, "BadRequest", "The api-version query parameter is missing or not a dated version.")


async def refuse_dated_version(request: Request) -> None:
    """Raise 400 when a dated api-version is given on the v1 paths."""
    if request.query_params.get("api-version", "v1") not in ("v1", "preview"):
        raise ApiError(400, "BadRequest", "api-version query parameter is not allowed when using /v1 path.")


async def require_bearer(request: Request) -> None:
    """Raise 401 unless the control plane gets some bearer token."""
    if not _bearer(request):
        raise ApiError(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    if not request.query_params.get("api-version"):
        raise ApiError(
            400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
        )


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
