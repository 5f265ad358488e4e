"""Tokens of examples as a model's own tokenizer and chat template make them: what it is trained on, to the token."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from finelake.chat import ASSISTANT, Message
from finelake.config.models import TEMPLATE
from finelake.errors import EnvironmentProblem, InputError
from finelake.huggingface.job import JobError
from finelake.huggingface.template import ChatTemplate, Encoded, Refused
from finelake.tokens.formula import Example, ExampleTokens


class TemplateEngine:
    """The tokenizer of a model: `encoding` is `template:` and where it lies."""

    name = "template"

    def __init__(self, encoding: str) -> None:
        """Load the tokenizer. Raises EnvironmentProblem where transformers or the tokenizer is missing."""
        self.encoding = encoding
        self._tokenizer, self.template = _loaded(encoding.removeprefix(TEMPLATE))

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        """Return one count a text, in order; special tokens in a text count as what the tokenizer takes them for."""
        return (
            [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]] if texts else []
        )


class TemplateCounter:
    """Counts examples as `finelake.tokens.counter.TokenCounter` does, with the template in place of a formula."""

    def __init__(self, engine: TemplateEngine) -> None:
        """Count with an engine's tokenizer and template."""
        self.engine = engine
        self._template = engine.template

    def count(self, examples: Iterable[Example]) -> list[ExampleTokens]:
        """Return the tokens of each example, in order. Raises InputError where the template refuses one."""
        return [self._counted(example["messages"], example.get("tools") or ()) for example in examples]

    def _counted(self, messages: Sequence[Message], tools: Sequence[Any]) -> ExampleTokens:
        try:
            encoded = self._template.encode(messages, tools)
            spoken = self._template.encode([_learnt(message) for message in messages], tools).trained
            defined = len(encoded.input_ids) - self._template.count(messages) if tools else 0
            per_message = self._per_message(messages, tools, encoded)
        except Refused as refused:
            raise InputError(
                f"The chat template of {self.engine.encoding.removeprefix(TEMPLATE)} refuses a conversation "
                f"({refused.reason}): a role or an order that it does not know. Take another template, or leave such "
                "turns out of the table."
            ) from None
        per_message[0] -= defined
        return ExampleTokens(tuple(per_message), defined, len(encoded.input_ids), spoken, encoded.trained)

    def _per_message(self, messages: Sequence[Message], tools: Sequence[Any], encoded: Encoded) -> list[int]:
        """Split the tokens between the messages, where the text of the first ones begins the whole; else evenly."""
        text = self._template.render(messages, tools)
        borders = [0]
        for end in range(1, len(messages)):
            try:
                before = self._template.render(messages[:end], tools)
            except Refused:
                before = None
            if before is None or not text.startswith(before):
                return _evenly(len(encoded.input_ids), len(messages))
            borders.append(len(before))
        starts = self._template.starts(text)
        places = [bisect_left(starts, border) for border in borders] + [len(starts)]
        return [end - start for start, end in pairwise(places)]


@cache
def template_engine(encoding: str) -> TemplateEngine:
    """Return this process's engine for an encoding that begins with `template:`."""
    return TemplateEngine(encoding)


def _loaded(source: str) -> tuple[Any, ChatTemplate]:
    try:
        from finelake.huggingface.models import load_tokenizer

        tokenizer = load_tokenizer(source)
    except ImportError:
        raise EnvironmentProblem(
            f"Counting with the tokenizer of {source} needs transformers. Run pip install 'finelake[hf]' on every "
            "machine that counts."
        ) from None
    except JobError as error:
        raise EnvironmentProblem(str(error)) from None
    return tokenizer, ChatTemplate(tokenizer)


def _learnt(message: Message) -> Message:
    return {**message, "weight": 1} if message["role"] == ASSISTANT else message


def _evenly(total: int, parts: int) -> list[int]:
    share, rest = divmod(total, parts)
    return [share + (n < rest) for n in range(parts)]
