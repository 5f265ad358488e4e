"""A tokenizer's chat template: the tokens of an example, and which of them are trained.

Trained are the tokens of assistant turns whose weight is not 0. A template that marks them (`{% generation %}`) says
where they are; of another one the text before and after each turn is rendered, which only tells where the turn is when
both are beginnings of the whole text, so that is checked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finelake.chat import ASSISTANT, Message
from finelake.huggingface.job import JobError
from finelake.huggingface.messages import for_template, is_trained

IGNORED = -100
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")

Span = tuple[int, int]


class Refused(ValueError):
    """Raised when one example cannot be trained on; `reason` is a stable code."""

    def __init__(self, reason: str, tokens: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Encoded:
    """Tokens of an example; `labels` are -100 where nothing is learnt; `cut` messages are left out at its beginning."""

    input_ids: list[int]
    labels: list[int]
    cut: int = 0

    @property
    def trained(self) -> int:
        """How many tokens are trained."""
        return sum(label != IGNORED for label in self.labels)


class ChatTemplate:
    """Renders and encodes chats with one tokenizer and its template."""

    def __init__(self, tokenizer: Any, *, template: str | None = None) -> None:
        """Take the tokenizer's own template unless one is given; raises JobError where neither is there."""
        self._tokenizer = tokenizer
        self._template = template or tokenizer.chat_template
        if not isinstance(self._template, str):
            raise JobError(
                "template_missing",
                "The tokenizer has no chat template (a base model?). Name a Jinja file in model.chat_template.",
            )
        if not getattr(tokenizer, "is_fast", False):
            raise JobError(
                "tokenizer_slow",
                "The tokenizer does not tell where its tokens lie in the text, which masks need. Take a model with a "
                "tokenizer.json.",
            )
        self.marks = _GENERATION.search(self._template) is not None

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the tokenizer and the template: equal ones give equal tokens."""
        digest = hashlib.sha256(self._tokenizer.backend_tokenizer.to_str().encode())
        digest.update(self._template.encode())
        return digest.hexdigest()

    def render(self, messages: Sequence[Message], tools: Sequence[Any] = (), *, prompt: bool = False) -> str:
        """Render a chat as text, with the beginning of a reply behind it where `prompt`. Raises Refused."""
        return self._rendered(messages, tools, prompt=prompt)[0]

    def count(self, messages: Sequence[Message], tools: Sequence[Any] = ()) -> int:
        """Count the tokens of a chat, as `apply_chat_template` gives them."""
        return len(self._tokenizer(self.render(messages, tools), add_special_tokens=False)["input_ids"])

    def starts(self, text: str) -> list[int]:
        """Give the character at which each token of a text begins."""
        offsets = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return [start for start, _ in offsets]

    def encode(self, messages: Sequence[Message], tools: Sequence[Any] = ()) -> Encoded:
        """Encode a chat with its labels. Raises Refused, and JobError where the template's turns cannot be found."""
        text, turns = self._turns(messages, tools)
        spans = [turn for message, turn in zip(_assistants(messages), turns, strict=True) if is_trained(message)]
        tokens = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids: list[int] = tokens["input_ids"]
        return Encoded(ids, _labels(ids, tokens["offset_mapping"], spans))

    def _turns(self, messages: Sequence[Message], tools: Sequence[Any]) -> tuple[str, list[Span]]:
        """Render a chat and find the assistant's turns in the text, one span of characters each."""
        text, marked = self._rendered(messages, tools, mark=self.marks)
        expected = len(_assistants(messages))
        if self.marks and len(marked) == expected:
            return text, marked
        return text, [
            self._turn(text, messages, tools, n) for n, message in enumerate(messages) if message["role"] == ASSISTANT
        ]

    def _turn(self, text: str, messages: Sequence[Message], tools: Sequence[Any], n: int) -> Span:
        before = self.render(messages[:n], tools, prompt=True) if n else ""
        after = text if n == len(messages) - 1 else self.render(messages[: n + 1], tools)
        if not (text.startswith(before) and text.startswith(after) and len(before) <= len(after)):
            raise JobError(
                "template_not_prefix_stable",
                "The chat template renders earlier turns differently when later ones follow, and does not mark the "
                "assistant's with {% generation %}: what is trained cannot be told. Name a template that marks them in "
                "model.chat_template.",
            )
        return len(before), _end(after, len(before), self._tokenizer.eos_token)

    def _rendered(
        self, messages: Sequence[Message], tools: Sequence[Any], *, prompt: bool = False, mark: bool = False
    ) -> tuple[str, list[Span]]:
        from jinja2.exceptions import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            chat = for_template(messages)
        except ValueError:
            raise Refused("not_text") from None
        try:
            texts, indices = render_jinja_template(
                conversations=[chat],
                tools=list(tools) or None,
                chat_template=self._template,
                return_assistant_tokens_mask=mark,
                add_generation_prompt=prompt,
                **self._tokenizer.special_tokens_map,
            )
        except (TemplateError, TypeError, KeyError):
            raise Refused("template_refuses") from None
        return texts[0], [tuple(span) for span in indices[0]] if mark and indices else []


def open_template(tokenizer: Any, *, file: str | None) -> ChatTemplate:
    """Build the template of a job, from a Jinja file where one is named. Raises JobError."""
    if file is None:
        return ChatTemplate(tokenizer)
    try:
        tokenizer.chat_template = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise JobError("template_missing", f"{file} cannot be read ({type(error).__name__}).") from None
    return ChatTemplate(tokenizer)


def _assistants(messages: Sequence[Message]) -> list[Mapping[str, Any]]:
    return [message for message in messages if message["role"] == ASSISTANT]


def _end(after: str, start: int, eos: str | None) -> int:
    """End a turn behind its end-of-turn token: what the template writes between turns is not the model's to learn."""
    at = after.rfind(eos, start) if eos else -1
    return len(after) if at < 0 else at + len(eos or "")


def _labels(ids: Sequence[int], offsets: Sequence[Span], spans: Sequence[Span]) -> list[int]:
    """Label the tokens that lie in a span; one that begins before it belongs to the prompt."""
    labels, position = [IGNORED] * len(ids), 0
    for n, (start, end) in enumerate(offsets):
        while position < len(spans) and spans[position][1] <= start:
            position += 1
        if position == len(spans):
            break
        if start < end and spans[position][0] <= start and end <= spans[position][1]:
            labels[n] = ids[n]
    return labels
