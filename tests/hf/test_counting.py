"""Tokens counted with a model's own tokenizer: those of `apply_chat_template`, and what curation does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.conversations.windows import Room, lay_out, windows
from finelake.huggingface.messages import for_template
from finelake.tokens.counter import ExampleCounter, counter_for
from finelake.tokens.engine import select_engine
from support.chats_to_learn import chats


@pytest.fixture(scope="module")
def settings(tiny_model: Path) -> Settings:
    return Settings.model_validate(
        {
            "project": "open",
            "model": "tiny",
            "source": {
                "table": "t",
                "columns": {"conversation_id": "c", "author": "a", "text": "t", "turn_index": "n"},
            },
            "service": {"kind": "huggingface", "huggingface": {"models": {"tiny": str(tiny_model)}, "context": 300}},
        }
    )


@pytest.fixture(scope="module")
def counter(settings: Settings) -> ExampleCounter:
    return counter_for(*catalogue_of(settings).find("tiny").counting())


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def encoded(tokenizer: Any, example: dict[str, Any], **options: Any) -> Any:
    messages = for_template(example["messages"])
    return tokenizer.apply_chat_template(messages, tools=example.get("tools"), return_dict=True, **options)


def test_counts_are_those_of_apply_chat_template(counter: ExampleCounter, tokenizer: Any) -> None:
    examples = chats(60)
    for example, found in zip(examples, counter.count(examples), strict=True):
        expected = encoded(tokenizer, example, return_assistant_tokens_mask=True)
        assert found.total == len(expected["input_ids"])
        assert found.assistant == sum(expected["assistant_masks"])
        assert found.total == sum(found.per_message) + found.tools


def test_untrained_turns_are_not_counted_as_trained(counter: ExampleCounter) -> None:
    for example, found in zip(chats(30), counter.count(chats(30)), strict=True):
        untrained = any(message.get("weight") == 0 for message in example["messages"])
        assert (found.trained < found.assistant) == untrained


def test_each_message_has_the_tokens_of_its_own_text(counter: ExampleCounter, tokenizer: Any) -> None:
    example = chats(1)[0]
    (found,) = counter.count([example])
    messages = example["messages"]
    for n in range(len(messages)):
        whole = len(encoded(tokenizer, {"messages": messages[: n + 1]})["input_ids"])
        assert sum(found.per_message[: n + 1]) == whole


def test_definitions_are_counted_apart(counter: ExampleCounter, tokenizer: Any) -> None:
    example = chats(3)[2]
    (found,) = counter.count([example])
    without = encoded(tokenizer, {"messages": example["messages"]})["input_ids"]
    assert found.tools == found.total - len(without) > 20


def test_windows_keep_to_the_models_own_limit(counter: ExampleCounter) -> None:
    turns = [message for number in range(0, 12, 2) for message in chats(12)[number - number % 3]["messages"][1:]]
    messages = [{"role": "system", "content": "You answer for a shop."}, *turns]
    (found,) = counter.count([{"messages": messages}])
    layout = lay_out(messages, found.per_message, found.total)
    spans = windows(layout, Room(tokens=200, messages=99, overlap=0.25))
    assert spans is not None
    assert len(spans) > 1
    cut = [{"messages": [*messages[:1], *messages[span.start : span.end]]} for span in spans]
    for span, exact in zip(spans, counter.count(cut), strict=True):
        assert exact.total == layout.size(span.start, span.end) <= 200


def test_the_models_limit_is_that_of_the_settings(settings: Settings) -> None:
    model = catalogue_of(settings).find("tiny")
    assert (model.training_context, model.methods) == (300, ("supervised", "dpo"))


def test_the_manifest_names_the_engine(settings: Settings) -> None:
    encoding, _ = catalogue_of(settings).find("tiny").counting()
    engine = select_engine(encoding)
    assert (engine.name, engine.encoding) == ("template", encoding)
    assert engine.count_batch([]) == []
    assert engine.count_batch(["lamp", "lamp lamp"])[0] >= 1
