"""What a metric sees: one answer of one model, beside what was asked and expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finelake.evaluation.replies import Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One answer.

    `request` holds the chat request's messages and, where offered, tools. `reference` is None for prompts without an
    expected answer, `schema` the JSON schema that the answer's text has to meet. A failed answer has an empty
    reply and the service's code in `failure`. `seconds` is the time of the last try.
    """

    answer: Reply
    reference: Reply | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    expects_refusal: bool = False
    finish_reason: str | None = None
    failure: str | None = None
    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def question(self) -> str:
        """The text of the last user message; empty when there is none."""
        messages: Sequence[Mapping[str, Any]] = self.request.get("messages", ())
        asked = [message for message in messages if message.get("role") == "user"]
        return text_of(asked[-1].get("content")) if asked else ""


def text_of(content: object) -> str:
    """Give the text of a message's content, whose text parts are joined."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
