"""An evaluation item: one prompt, what is expected, and where both come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finelake.evaluation.replies import Reply

TEST = "test"


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt and its reference, the example's message at index `message`; None where nothing is expected.

    `request` holds what a chat request takes: messages, and tools where given. `conversation_id` and `window` name
    the example of the test split; in a suite `conversation_id` is the row's id and `window` is 0.
    """

    conversation_id: str
    window: int
    message: int
    group_key: str
    request: Mapping[str, Any]
    reference: Reply | None
    suite: str = TEST
    schema: Mapping[str, Any] | None = None
    expects_refusal: bool = False
