"""Pictures in a message: parts of the form `{"type": "image_url", "image_url": {"url": ..., "detail": ...}}`.

Source: Azure's guide to vision fine-tuning: JPEG, PNG or WEBP, at a public https address or embedded as a data URL;
detail low (512 x 512, 85 tokens), high or auto. Only a user's message may hold some.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

_DETAILS = {"auto", "low", "high"}
_EMBEDDED = re.compile(r"data:image/(jpeg|png|webp);base64,(?=[A-Za-z0-9+/])")
_HTTPS = re.compile(r"https://[^\s/]+\S*")
_HEAD = 64
_MAGIC = {"jpeg": (b"\xff\xd8\xff", 0), "png": (b"\x89PNG\r\n\x1a\n", 0), "webp": (b"WEBP", 8)}


def is_picture(part: object) -> bool:
    """Tell whether a content part is meant to be a picture."""
    return isinstance(part, Mapping) and part.get("type") == "image_url"


def picture_problem(part: Mapping[str, object]) -> str | None:
    """Give the code of what is wrong with a picture part, None for a valid one.

    Of an embedded picture the first bytes are looked at; colours (RGB, RGBA) and what it shows are not.
    """
    held = part.get("image_url")
    address = held.get("url") if isinstance(held, Mapping) else None
    if part.keys() != {"type", "image_url"} or not isinstance(held, Mapping) or not isinstance(address, str):
        return "picture_invalid"
    if held.keys() - {"url", "detail"} or held.get("detail", "auto") not in _DETAILS:
        return "picture_invalid"
    if _HTTPS.fullmatch(address):
        return None
    embedded = _EMBEDDED.match(address)
    if embedded is None:
        return "picture_address_unknown"
    magic, start = _MAGIC[embedded[1]]
    try:
        head = base64.b64decode(address[embedded.end() : embedded.end() + _HEAD], validate=True)
    except binascii.Error:
        return "picture_not_base64"
    return None if head[start : start + len(magic)] == magic else "picture_of_another_format"


def embedded_bytes(address: str) -> int:
    """Give the size in bytes of an embedded picture, from the length of its text; 0 for one at an address."""
    if not address.startswith("data:"):
        return 0
    text = address.partition(",")[2]
    return len(text) * 3 // 4 - text[-2:].count("=")
