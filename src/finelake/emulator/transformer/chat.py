"""Chat completions of models with weights: the request goes to the model's server, the answer comes back as its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from finelake.emulator.chatrequest import parse_chat
from finelake.emulator.clock import Clock
from finelake.emulator.registry import KnownModel
from finelake.emulator.transformer.hosting import ChatServers
from finelake.emulator.transformer.merging import merged
from finelake.emulator.transformer.weights import WeightFinder
from finelake.emulator.wire import Json, Plane

# What `transformers serve` and vLLM both take; `tool_choice` and the like the former refuses.
_PASSED_ON = (
    "messages",
    "tools",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "frequency_penalty",
)


class TransformerChat:
    """Answer chats with real models."""

    def __init__(self, *, clock: Clock, weights: WeightFinder, servers: ChatServers, merge_folder: Path) -> None:
        self._clock = clock
        self._weights = weights
        self._servers = servers
        self._merge_folder = merge_folder

    def complete(self, plane: Plane, model: KnownModel, body: Json) -> Json:
        """Return a chat.completion object; ApiError 400 for a wrong request, 429 while the server starts."""
        request = parse_chat(body)
        place = merged(self._weights.find(plane, model), folder=self._merge_folder)
        passed = {name: body[name] for name in _PASSED_ON if body.get(name) is not None}
        if not request.functions:
            passed.pop("tools", None)
        found = self._servers.ask(model.base.serve, place, passed)
        choice = found["choices"][0]
        message: Json = {"role": "assistant", "content": choice["message"].get("content"), "refusal": None}
        if choice["message"].get("tool_calls"):
            message["tool_calls"] = choice["message"]["tool_calls"]
        return {
            "id": f"chatcmpl-{found['id']}",
            "object": "chat.completion",
            "created": int(self._clock.now()),
            "model": model.name,
            "system_fingerprint": f"fp_{hashlib.sha256(place.encode()).hexdigest()[:12]}",
            "choices": [
                {"index": 0, "message": message, "finish_reason": choice.get("finish_reason"), "logprobs": None}
            ],
            "usage": {name: found["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
        }
