"""The reinforcement format of one training example: a chat that ends with the user, and fields for the grader.

Schema: Azure's guide to reinforcement fine-tuning. The last message is the user's; every further key of the line is
data that a grader reads as `{{item.KEY}}`; the role `developer` stands for `system`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from finelake.chat import (
    LINE_KEYS,
    SYSTEM,
    USER,
    Problem,
    function_name_is_valid,
    message_problems,
    read_object,
    tool_problems,
)

_DEVELOPER = "developer"


def read_line(line: bytes | str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Read one line; returns its object (None when it is no JSON object) and its problems, none for a valid one."""
    value, problems = read_object(line)
    return value, problems if value is None else list(_problems(value))


def item_keys(value: dict[str, Any]) -> frozenset[str]:
    """Give the keys of a line that graders may refer to."""
    return frozenset(value) - LINE_KEYS


def _problems(value: dict[str, Any]) -> Iterator[Problem]:
    yield from tool_problems(value)
    for key in item_keys(value):
        if not function_name_is_valid(key):
            yield Problem("item_key_invalid", "a key beside messages")
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        yield Problem("messages_missing", "messages")
        return
    for n, message in enumerate(messages):
        yield from message_problems(_plain(message), f"messages[{n}]")
    last = messages[-1]
    if not isinstance(last, dict) or last.get("role") != USER:
        yield Problem("last_not_user", f"messages[{len(messages) - 1}]")


def _plain(message: object) -> object:
    """Read a developer's message as the system's."""
    return {**message, "role": SYSTEM} if isinstance(message, dict) and message.get("role") == _DEVELOPER else message
