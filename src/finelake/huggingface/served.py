"""A trained model as it answers chats where MLflow serves it; MLflow keeps this file in the logged model and runs it.

It imports nothing of finelake, which is not installed there. Chat completions go in and come out as one object:
MLflow's own flavor for transformers answers a list, which OpenAI's client does not read.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc import ChatModel
from mlflow.types.llm import ChatCompletionResponse, ChatMessage, ChatParams

DEFAULT_TOKENS = 512
"""The most tokens of an answer where the request names none."""

_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)


class ServedChat(ChatModel):
    """One model and its tokenizer; requests are answered one after another."""

    def load_context(self, context: Any) -> None:
        """Load the model, onto a graphics card where there is one."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        place = context.artifacts["model"]
        self._lock = threading.Lock()
        self._tokenizer = AutoTokenizer.from_pretrained(place)
        model = AutoModelForCausalLM.from_pretrained(place, dtype="auto")
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        own = self._model.generation_config.eos_token_id
        self._ends = sorted({*([own] if isinstance(own, int) else own or []), self._tokenizer.eos_token_id})

    def predict(self, context: Any, messages: list[ChatMessage], params: ChatParams) -> ChatCompletionResponse:
        """Answer a chat; temperature 0 takes the likeliest token each time."""
        del context
        prompt = self._tokenizer.apply_chat_template(
            [_for_template(message.to_dict()) for message in messages],
            tools=[tool.to_dict() for tool in params.tools] if params.tools else None,
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        ).to(self._model.device)
        begin = prompt["input_ids"].shape[1]
        most = params.max_tokens or DEFAULT_TOKENS
        with self._lock:
            made = self._model.generate(**prompt, **self._options(params, most, begin))[0, begin:].tolist()
        ended = bool(made) and made[-1] in self._ends
        text = self._tokenizer.decode(made, skip_special_tokens=True)
        return _response(_without_stop(text, params.stop), finished=ended or len(made) < most, sizes=(begin, len(made)))

    def _options(self, params: ChatParams, most: int, begin: int) -> dict[str, Any]:
        options: dict[str, Any] = {"max_new_tokens": most, "eos_token_id": self._ends, "do_sample": False}
        options["pad_token_id"] = self._tokenizer.pad_token_id or self._ends[0]
        if params.stop:
            options["stopping_criteria"] = [self._stopped(params.stop, begin)]
        if params.temperature:
            chosen = {"temperature": params.temperature, "top_p": params.top_p, "top_k": params.top_k}
            options |= {"do_sample": True} | {name: value for name, value in chosen.items() if value is not None}
        return options

    def _stopped(self, stops: list[str], begin: int) -> Any:
        """Look for the stops in the answer alone: transformers' own look finds one that begins in the prompt."""
        import torch

        def stopped(tokens: Any, *_: Any, **__: Any) -> Any:
            text = self._tokenizer.decode(tokens[0, begin:], skip_special_tokens=True)
            return torch.tensor([any(stop in text for stop in stops)], device=tokens.device)

        return stopped


def _for_template(message: dict[str, Any]) -> dict[str, Any]:
    """Give a message as templates read it: content is text, arguments of calls are objects."""
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"] or "{}")}}
        for call in message.get("tool_calls") or []
    ]
    return {**message, "content": message.get("content") or "", **({"tool_calls": calls} if calls else {})}


def _response(text: str, *, finished: bool, sizes: tuple[int, int]) -> ChatCompletionResponse:
    found = [call for call in map(_call, _CALL.findall(text)) if call is not None]
    said = _CALL.sub("", text).strip() if found else text
    message: dict[str, Any] = {"role": "assistant", "content": said or None if found else said}
    if found:
        message["tool_calls"] = found
    reason = "tool_calls" if found else "stop" if finished else "length"
    usage = {"prompt_tokens": sizes[0], "completion_tokens": sizes[1], "total_tokens": sum(sizes)}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    named = {"id": f"chatcmpl-{uuid.uuid4().hex}", "model": "finelake"}
    return ChatCompletionResponse.from_dict({**named, "choices": [choice], "usage": usage})


def _call(text: str) -> dict[str, Any] | None:
    """Read a call as Hermes, Qwen and others write it: a JSON object with name and arguments."""
    try:
        read = json.loads(text)
        return {"function": {"name": str(read["name"]), "arguments": json.dumps(read.get("arguments") or {})}}
    except (ValueError, KeyError, TypeError):
        return None


def _without_stop(text: str, stops: list[str] | None) -> str:
    ends = [at for stop in stops or [] if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


set_model(ServedChat())
