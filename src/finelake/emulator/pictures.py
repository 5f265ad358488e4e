"""Check pictures in training examples: where they may be, how they are addressed, how many and how large."""

from __future__ import annotations

import base64
import binascii

from finelake.emulator.wire import Json

MAX_IN_EXAMPLE = 64
MAX_BYTES = 10_000_000
_FORMATS = {"jpeg": b"\xff\xd8\xff", "jpg": b"\xff\xd8\xff", "png": b"\x89PNG", "webp": b"RIFF"}


def pictures_in(example: Json) -> int:
    """Count the picture parts of an example's messages."""
    messages = example.get("messages") or (example.get("input") or {}).get("messages") or []
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    return sum(is_picture(part) for content in contents if isinstance(content, list) for part in content)


def is_picture(part: object) -> bool:
    """Tell whether a content part is a picture."""
    return isinstance(part, dict) and part.get("type") == "image_url"


def problem_of(part: Json) -> str | None:
    """Say what is wrong with a picture part, in the service's words; None when nothing is."""
    held = part.get("image_url")
    address = held.get("url") if isinstance(held, dict) else None
    if not isinstance(held, dict) or not isinstance(address, str):
        return "an image without a url"
    if held.get("detail", "auto") not in ("auto", "low", "high"):
        return "an image whose detail is not auto, low or high"
    if address.startswith("https://") and len(address) > len("https://"):
        return None
    head, mark, body = address.partition(";base64,")
    kind = head.removeprefix("data:image/")
    if not mark or not head.startswith("data:image/") or kind not in _FORMATS:
        return "an image that is neither at an https address nor an embedded JPEG, PNG or WEBP"
    try:
        content = base64.b64decode(body, validate=True)
    except binascii.Error:
        return "an embedded image that is not valid base64"
    if not content.startswith(_FORMATS[kind]):
        return f"an embedded image that is no {kind.upper()}"
    return f"an image of more than {MAX_BYTES} bytes" if len(content) > MAX_BYTES else None
