"""Lines of the methods beside supervised training: preferences, pictures, reinforcement."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any


def pair(at: int, **changes: Any) -> dict[str, Any]:
    """Give a preference example: a precise answer is preferred to a vague one."""
    question = [{"role": "user", "content": f"When does order {1000 + at} arrive?"}]
    example = {
        "input": {"messages": question},
        "preferred_output": [{"role": "assistant", "content": f"Order {1000 + at} arrives in {2 + at % 5} days."}],
        "non_preferred_output": [
            {"role": "assistant", "content": "It should be with you at some point, do not worry."}
        ],
    }
    return example | changes


def pairs(count: int, *, start: int = 0) -> list[str]:
    """Give preference lines."""
    return [json.dumps(pair(start + at)) for at in range(count)]


def png(size: int = 4) -> bytes:
    """Give a real picture: a grey RGB square."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    rows = b"".join(b"\x00" + b"\x80\x80\x80" * size for _ in range(size))
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def data_url(content: bytes, kind: str = "png") -> str:
    """Embed a picture."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def seen(*addresses: str, role: str = "user", **image: Any) -> dict[str, Any]:
    """Give a chat with pictures in a message of `role`."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": "What is this?"}]
    parts += [{"type": "image_url", "image_url": {"url": address, **image}} for address in addresses]
    messages: list[dict[str, Any]] = [{"role": role, "content": parts}]
    if role != "user":
        messages.insert(0, {"role": "user", "content": "Show me."})
    return {"messages": [*messages, {"role": "assistant", "content": "A grey square."}]}
