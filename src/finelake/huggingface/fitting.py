"""Examples as a trainer takes them, within the most tokens a sequence may have: a trained reply is never cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from finelake.chat import Message
from finelake.conversations.windows import lay_out
from finelake.huggingface.job import Method
from finelake.huggingface.messages import is_trained
from finelake.huggingface.template import IGNORED, ChatTemplate, Encoded, Refused
from finelake.preference import ANSWERS, chat_of

TooLong = Literal["cut", "drop", "refuse"]
Features = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The features of an example, its tokens and trained tokens, and the messages cut off."""

    features: Features
    tokens: int
    trained: int
    cut: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """Turns published lines into features; picklable, so that loader workers take it."""

    template: ChatTemplate
    max_length: int
    too_long: TooLong
    method: Method

    def __call__(self, line: Mapping[str, Any]) -> Fitted:
        """Encode a line.

        Raises Refused: example_too_long, nothing_trained, template_refuses, not_text, line_invalid.
        """
        try:
            return self._pair(line) if self.method == "dpo" else self._chat(line)
        except (KeyError, TypeError, AttributeError):
            raise Refused("line_invalid") from None

    def _chat(self, line: Mapping[str, Any]) -> Fitted:
        encoded = self._fit([line])[0]
        features = {"input_ids": encoded.input_ids, "labels": encoded.labels}
        return Fitted(features, len(encoded.input_ids), encoded.trained, encoded.cut)

    def _pair(self, line: Mapping[str, Any]) -> Fitted:
        chosen, rejected = self._fit([chat_of(line, answer) for answer in ANSWERS])
        prompt = min(_first_trained(chosen), _first_trained(rejected))
        if chosen.input_ids[:prompt] != rejected.input_ids[:prompt]:
            raise Refused("prompts_differ")
        features = {
            "prompt_ids": chosen.input_ids[:prompt],
            "chosen_ids": chosen.input_ids[prompt:],
            "rejected_ids": rejected.input_ids[prompt:],
            "chosen_labels": chosen.labels[prompt:],
            "rejected_labels": rejected.labels[prompt:],
        }
        both = len(chosen.input_ids) + len(rejected.input_ids)
        return Fitted(features, both, chosen.trained + rejected.trained, chosen.cut)

    def _fit(self, chats: Sequence[Mapping[str, Any]]) -> list[Encoded]:
        """Encode chats with the same beginning, cut at the same border where they are too long."""
        encoded = [self._encoded(chat) for chat in chats]
        longest = max(len(one.input_ids) for one in encoded)
        if longest <= self.max_length:
            return encoded
        if self.too_long == "cut":
            for shorter in _cuts(chats):
                found = [self._encoded(chat, cut=shorter) for chat in chats]
                if max(len(one.input_ids) for one in found) <= self.max_length:
                    return found
        raise Refused("example_too_long", longest)

    def _encoded(self, chat: Mapping[str, Any], *, cut: tuple[int, int] = (0, 0)) -> Encoded:
        messages: list[Message] = [*chat["messages"][: cut[0]], *chat["messages"][cut[1] :]]
        encoded = self.template.encode(messages, chat.get("tools") or ())
        if encoded.trained == 0:
            raise Refused("nothing_trained")
        return Encoded(encoded.input_ids, encoded.labels, cut[1] - cut[0])


def _cuts(chats: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """List what may go, the least first: whole exchanges behind the system prompts, up to the first trained reply."""
    messages = chats[0]["messages"]
    layout = lay_out(messages, [0] * len(messages), 0)
    first = next((n for n, message in enumerate(messages) if is_trained(message)), 0)
    return [(layout.lead, border) for border in layout.borders[1:] if border <= first]


def _first_trained(encoded: Encoded) -> int:
    return next(n for n, label in enumerate(encoded.labels) if label != IGNORED)
