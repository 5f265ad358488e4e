"""Asking one chat question, with patience where the service asks for it.

The SDK itself retries 408, 409, 429, 5xx and lost connections twice and obeys a short Retry-After. What is left:
429 is waited out by all threads together, up to `patience_seconds`; a service that cannot be reached is tried
for a minute; 401, 403, 404 and an exhausted quota would meet every question alike and end the evaluation; any
other status is a failed answer of this one question.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import openai
from openai.types.chat import ChatCompletion

from finelake.config.evaluation import Evaluation
from finelake.errors import ServiceError
from finelake.evaluation.replies import Reply, reply_from_message

Role = Literal["base", "tuned", "judge"]
ClientSource = Callable[[], openai.OpenAI]
"""Gives the SDK's client; called before each request, so that an Entra token in it can be fresh."""

_SDK_RETRIES = 2
_UNREACHABLE_SECONDS = 60.0
_LONGEST_BACKOFF_SECONDS = 30.0
_CODE = re.compile(r"\A[\w.-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Question:
    """One chat request to one of the models; `key` is the SHA-256 of the payload, the model's name included.

    Where a prompt should be refused (`may_be_filtered`) a content filter that stops it is no failure.
    """

    key: str
    role: Role
    payload: Mapping[str, Any]
    may_be_filtered: bool = False

    @property
    def model(self) -> str:
        return str(self.payload["model"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question. `error` is the code of a failure, whose reply is empty; `seconds` of the last try.

    `billed` tells that the service answered with status 200, so that asking again would be paid again.
    """

    key: str
    role: Role
    model: str
    reply: Reply
    finish_reason: str | None
    error: str | None
    billed: bool
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    fingerprint: str | None


class Stopped(Exception):
    """Raised in a thread that waits while the evaluation ends."""


class Pace:
    """One brake for all threads: when the service tells one of them to wait, all do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._not_before = 0.0

    def hold(self, seconds: float) -> None:
        """Let no question out for so long; a shorter hold than the present one changes nothing."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def wait(self) -> None:
        """Wait until questions may go out. Raises Stopped when the evaluation ends meanwhile."""
        while True:
            with self._lock:
                left = self._not_before - time.monotonic()
            if self._ended.wait(max(0.0, left)):
                raise Stopped
            if left <= 0:
                return

    def stop(self) -> None:
        """Wake all waiting threads and let no further question out."""
        self._ended.set()


def ask(client: ClientSource, question: Question, *, pace: Pace, evaluation: Evaluation) -> Answer:
    """Ask until there is an answer or a failure of this question.

    Raises ServiceError when the service refuses in a way that would meet all questions, or stays away.
    """
    first = time.monotonic()
    tries = 0
    while True:
        pace.wait()
        tries += 1
        asked = time.monotonic()
        try:
            completion = _patient(client(), evaluation).chat.completions.create(**question.payload)
        except openai.RateLimitError as error:
            _wait_or_raise(error, question, pace=pace, waited=asked - first, tries=tries, evaluation=evaluation)
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            _refused(error, question)
        except openai.APIStatusError as error:
            return _failure(question, _code(error), seconds=time.monotonic() - asked)
        except openai.APITimeoutError:
            return _failure(question, "timeout", seconds=time.monotonic() - asked)
        except openai.APIConnectionError as error:
            if asked - first > _UNREACHABLE_SECONDS:
                _unreachable(error, client())
            pace.hold(_backoff(tries))
        except ValueError:
            return _failure(question, "answer_unreadable", seconds=time.monotonic() - asked)
        else:
            return _answer(question, completion, seconds=time.monotonic() - asked)


def retry_after(error: openai.APIStatusError) -> float | None:
    """Give the seconds that the response asks to wait (`retry-after-ms`, `Retry-After`), or None."""
    for header, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(error.response.headers[header]) / unit
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds)
    return None


def _patient(client: openai.OpenAI, evaluation: Evaluation) -> openai.OpenAI:
    return client.with_options(timeout=evaluation.request_timeout_seconds, max_retries=_SDK_RETRIES)


def _answer(question: Question, completion: object, *, seconds: float) -> Answer:
    if not isinstance(completion, ChatCompletion) or not completion.choices:
        return _failure(question, "answer_unreadable", seconds=seconds)
    choice = completion.choices[0]
    filtered = choice.finish_reason == "content_filter"
    message = choice.message.model_dump() if choice.message is not None else {}
    return Answer(
        key=question.key,
        role=question.role,
        model=question.model,
        reply=Reply() if filtered else reply_from_message(message),
        finish_reason=_finish_reason(choice.finish_reason, message),
        error="content_filter" if filtered else None,
        billed=True,
        prompt_tokens=completion.usage.prompt_tokens if completion.usage else 0,
        completion_tokens=completion.usage.completion_tokens if completion.usage else 0,
        seconds=seconds,
        fingerprint=completion.system_fingerprint,
    )


def _finish_reason(given: str | None, message: Mapping[str, Any]) -> str | None:
    """Give the service's reason; `refusal` where the message says that it is one and nothing else."""
    return "refusal" if message.get("refusal") and not message.get("content") else given


def _failure(question: Question, code: str, *, seconds: float) -> Answer:
    return Answer(
        key=question.key,
        role=question.role,
        model=question.model,
        reply=Reply(),
        finish_reason=None,
        error=code,
        billed=False,
        prompt_tokens=0,
        completion_tokens=0,
        seconds=seconds,
        fingerprint=None,
    )


def _wait_or_raise(
    error: openai.RateLimitError, question: Question, *, pace: Pace, waited: float, tries: int, evaluation: Evaluation
) -> None:
    asked_for = retry_after(error)
    seconds = _backoff(tries) if asked_for is None else asked_for
    if error.code == "insufficient_quota" or waited + seconds > evaluation.patience_seconds:
        raise ServiceError(
            f"Model {question.model} refuses chat requests: too many ({_code(error)}), asked to wait {seconds:.0f} s "
            f"after {waited:.0f} s of waiting. Raise the deployment's capacity or quota, lower "
            f"evaluation.concurrency, or raise evaluation.patience_seconds; answers so far are kept."
        ) from None
    pace.hold(seconds)


def _refused(error: openai.APIStatusError, question: Question) -> NoReturn:
    raise ServiceError(
        f"Model {question.model} cannot be asked: status {error.status_code} ({_code(error)}). Expected a deployment "
        f"or model that answers with this credential: check its name, that it is deployed, and the role or key. "
        f"Answers so far are kept."
    ) from None


def _unreachable(error: openai.APIConnectionError, client: openai.OpenAI) -> NoReturn:
    raise ServiceError(
        f"The service at {client.base_url.host} could not be reached for {_UNREACHABLE_SECONDS:.0f} s "
        f"({type(error.__cause__ or error).__name__}). Check service.endpoint and the network; "
        f"answers so far are kept, run the same again."
    ) from None


def _backoff(tries: int) -> float:
    return min(2.0 ** min(tries - 1, 10), _LONGEST_BACKOFF_SECONDS)


def _code(error: openai.APIStatusError) -> str:
    code = str(error.code or "")
    return code if _CODE.match(code) else f"http_{error.status_code}"
