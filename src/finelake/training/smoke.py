"""A few test chats with the tuned model: does it answer, how fast, and how does it stop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from finelake.config.evaluation import Evaluation
from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.training.patience import Patience

_FROM_TEST_FILE = 3


@dataclass(frozen=True, slots=True)
class SmokeChat:
    """One test chat. `latency` in seconds; `content` is kept in Delta and stays out of logs."""

    prompt: str
    content: str
    calls: int
    finish_reason: str
    latency: float
    prompt_tokens: int
    completion_tokens: int

    @property
    def is_empty(self) -> bool:
        """Whether the model said nothing and called nothing."""
        return not self.content.strip() and self.calls == 0

    def as_record(self) -> dict[str, Any]:
        """Give the chat as it is recorded."""
        return asdict(self) | {"empty": self.is_empty}


def chat(
    service: FineTuningService, model: str, *, config: Evaluation, test_file: Path, patience: Patience
) -> list[SmokeChat]:
    """Send the prompts of the settings, else the first user messages of the test file.

    Raises ServiceError when a chat fails, or every answer is empty.
    """
    prompts = config.smoke_prompts or tuple(_first_prompts(test_file))
    chats = [_ask(service, model, prompt, config=config, patience=patience) for prompt in prompts]
    if chats and all(item.is_empty for item in chats):
        raise ServiceError(
            f"{model} gave {len(chats)} empty answers to {len(chats)} test chats. Look at the training examples "
            f"(assistant messages must hold text or calls), and at the deployment in the portal."
        )
    return chats


def _ask(service: FineTuningService, model: str, prompt: str, *, config: Evaluation, patience: Patience) -> SmokeChat:
    patience = replace(patience, contact=service.chat_contact)
    began = patience.clock.now()
    options: dict[str, Any] = {config.length_parameter: config.max_tokens}
    if config.temperature is not None:
        options["temperature"] = config.temperature
    answer = patience.ask(
        lambda: service.chat_contact.readable(
            lambda: service.chat_client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": prompt}], extra_body=options
            ),
            needs="choices",
        ),
        action=f"sending a test chat to {model}",
        fresh=True,
    )
    choice, usage = answer.choices[0], answer.usage
    return SmokeChat(
        prompt=prompt,
        content=choice.message.content or "",
        calls=len(choice.message.tool_calls or []),
        finish_reason=str(choice.finish_reason),
        latency=patience.clock.now() - began,
        prompt_tokens=usage.prompt_tokens if usage is not None else 0,
        completion_tokens=usage.completion_tokens if usage is not None else 0,
    )


def _first_prompts(test_file: Path) -> Iterator[str]:
    taken = 0
    with test_file.open(encoding="utf-8-sig") as lines:
        for line in lines:
            messages = json.loads(line)["messages"]
            first = next((message["content"] for message in messages if message["role"] == "user"), None)
            if isinstance(first, str):
                yield first
                taken += 1
            if taken == _FROM_TEST_FILE:
                return
