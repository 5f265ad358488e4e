"""Chat completions: a rehearsed model answers from its examples, a base model without any, a real one itself."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator

from finelake.emulator.chatfile import read_chats
from finelake.emulator.chatrequest import ChatRequest, check_context, parse_chat
from finelake.emulator.clock import Clock
from finelake.emulator.errors import ApiError
from finelake.emulator.jobs import JobService
from finelake.emulator.judging import judgement
from finelake.emulator.registry import KnownModel, ModelRegistry
from finelake.emulator.replies import base_reply
from finelake.emulator.retrieval import Reply, ReplyIndex
from finelake.emulator.tokens import Encoder, count_calls, count_messages, count_tools, encoder, text_of
from finelake.emulator.transformer.chat import TransformerChat
from finelake.emulator.wire import Json, Plane

FINGERPRINT = "fp_finelake_rehearsal"
_KEPT_INDEXES = 4


class ChatService:
    """Answer chats; the indexes of the models used last are kept in memory."""

    def __init__(self, *, clock: Clock, jobs: JobService, models: ModelRegistry, transformer: TransformerChat) -> None:
        self._clock = clock
        self._jobs = jobs
        self._models = models
        self._transformer = transformer
        self._indexes: OrderedDict[tuple[str, int], ReplyIndex] = OrderedDict()
        self._lock = threading.Lock()

    def complete(self, plane: Plane, model: KnownModel, body: Json) -> Json:
        """Return a chat.completion object; ApiError 400 for a request that is wrong or too long."""
        if model.base.source is not None:
            return self._transformer.complete(plane, model, body)
        request = parse_chat(body)
        encoding = encoder(model.base.encoding)
        prompt = _count_prompt(request, encoding)
        check_context(prompt, model.base.context)
        reply = self._reply(plane, model, request, encoding)
        message, finish, used = _message(reply, request, encoding)
        digest = hashlib.sha256(json.dumps([model.name, request.messages]).encode()).hexdigest()
        for place, call in enumerate(message.get("tool_calls") or []):
            call["id"] = f"call_{digest[place : place + 24]}"
        return {
            "id": f"chatcmpl-{digest[:29]}",
            "object": "chat.completion",
            "created": int(self._clock.now()),
            "model": model.name,
            "system_fingerprint": FINGERPRINT,
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": used, "total_tokens": prompt + used},
        }

    def _reply(self, plane: Plane, model: KnownModel, request: ChatRequest, encoding: Encoder) -> Reply:
        if model.base.judge is not None:
            return Reply(judgement(text_of(request.messages[-1].get("content")), manner=model.base.judge), (), False)
        found = None
        if model.job_id is not None and model.step is not None:
            index = self._index(plane, model.job_id, model.step, encoding)
            found = index.nearest(request.messages, functions=request.functions)
        if found is not None:
            return found
        questions = [text_of(m.get("content")) for m in request.messages if m["role"] == "user"]
        return Reply(base_reply(questions[-1] if questions else ""), (), False)

    def _index(self, plane: Plane, job_id: str, step: int, encoding: Encoder) -> ReplyIndex:
        with self._lock:
            index = self._indexes.get((job_id, step))
            if index is None:
                index = ReplyIndex(self._seen(plane, job_id, step), encoding=encoding)
            self._indexes[(job_id, step)] = index
            self._indexes.move_to_end((job_id, step))
            while len(self._indexes) > _KEPT_INDEXES:
                self._indexes.popitem(last=False)
            return index

    def _seen(self, plane: Plane, job_id: str, step: int) -> Iterator[Json]:
        """Yield the examples that a model learned, then those of the tuned model that it was tuned from."""
        job = self._jobs.get(plane, job_id)
        seen = job.plan.seen_by(step)
        for place, example in enumerate(read_chats(self._jobs.training_path(job_id))):
            if place in seen:
                yield example
        parent = self._models.find(plane, job.spec.model)
        if parent is not None and parent.job_id is not None and parent.step is not None:
            yield from self._seen(plane, parent.job_id, parent.step)


def _count_prompt(request: ChatRequest, encoding: Encoder) -> int:
    try:
        return count_messages(request.messages, encoding=encoding) + count_tools(request.tools, encoding=encoding)
    except (AttributeError, TypeError, UnicodeEncodeError):
        raise ApiError(400, "invalidPayload", "The messages or tools are not what the chat schema allows.") from None


def _message(reply: Reply, request: ChatRequest, encoding: Encoder) -> tuple[Json, str, int]:
    """Return the message, why it ended, and its tokens."""
    message: Json = {"role": "assistant", "content": reply.content, "refusal": None}
    if reply.tool_calls:
        calls = [{"type": "function", "function": dict(call["function"])} for call in reply.tool_calls]
        message["tool_calls"] = calls
        return message, "tool_calls", count_calls(calls, encoding=encoding)
    ids = encoding.encode_ordinary(reply.content or "")
    if request.max_tokens is not None and len(ids) > request.max_tokens:
        message["content"] = encoding.decode(ids[: request.max_tokens])
        return message, "length", request.max_tokens
    return message, "stop", len(ids)
