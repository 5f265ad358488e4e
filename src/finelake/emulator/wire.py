"""Names of the surfaces, JSON reading, and ids in each surface's shape."""

from __future__ import annotations

import secrets
import string
from typing import Any, Literal

Json = dict[str, Any]
Plane = Literal["azure", "openai"]
Surface = Literal["azure", "openai", "arm"]

_BASE62 = string.ascii_letters + string.digits


def new_id(prefix: str, plane: Plane) -> str:
    """Make an id: 32 hex digits on Azure, 24 letters and digits at OpenAI."""
    if plane == "azure":
        return prefix + secrets.token_hex(16)
    return prefix + "".join(secrets.choice(_BASE62) for _ in range(24))


def surface_of(path: str) -> Surface:
    """Tell by the path of a request which error envelope its client expects."""
    if path.startswith("/subscriptions"):
        return "arm"
    return "openai" if path == "/v1" or path.startswith("/v1/") else "azure"


def without_nulls(view: Json) -> Json:
    """Drop the keys whose value is null: services do either, and clients must cope with both."""
    return {key: value for key, value in view.items() if value is not None}
