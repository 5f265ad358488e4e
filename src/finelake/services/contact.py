"""What went wrong between finelake and a service, said with place and remedy and never with the key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import openai

from finelake.errors import ServiceError

_ADDRESS_CODES = {None, "404"}
_RESOLUTION_SIGNS = ("Name or service not known", "nodename nor servname", "No address associated", "getaddrinfo")

Answer = TypeVar("Answer")


class PassingError(ServiceError):
    """Raised for a failure that may pass: ask again, after `retry_after` seconds where the service named them."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnreadableError(PassingError):
    """Raised for an answer that is not what the API promises: a web page, broken JSON, an object without its id."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom finelake talks to: `endpoint` as configured, `credential` as the place it came from."""

    endpoint: str
    credential: str
    kind: str

    @contextmanager
    def doing(self, action: str) -> Iterator[None]:
        """Turn every error of the SDK into a ServiceError; `action` completes "while ..."."""
        try:
            yield
        except openai.OpenAIError as error:
            raise self.explain(error, action) from None
        except (AttributeError, ValueError):
            # The SDK trips over a web page where it expects JSON.
            raise self.not_the_api() from None

    def readable(self, call: Callable[[], Answer], *, needs: str) -> Answer:
        """Make a call and give its answer, which must have the attribute `needs`.

        Raises UnreadableError for any other answer, and the SDK's own errors.
        """
        try:
            answer = call()
        except (AttributeError, TypeError, ValueError):
            # The SDK trips over a web page, or over JSON of another form, where it expects an object.
            raise self._unreadable() from None
        if not hasattr(answer, needs):
            raise self._unreadable()
        return answer

    def _unreadable(self) -> UnreadableError:
        return UnreadableError(f"What {self.endpoint} answered is not what this API promises.")

    def explain(self, error: openai.OpenAIError, action: str) -> ServiceError:
        """Say what happened while `action`, and what to do."""
        if isinstance(error, openai.APIConnectionError):
            return ServiceError(f"{self._connection(error)} It happened while {action}.")
        if isinstance(error, openai.APIStatusError):
            return ServiceError(self._status(error, action))
        return self.not_the_api()

    def not_the_api(self) -> ServiceError:
        """Say that something answered, but not the API."""
        return ServiceError(
            f"What answers at {self.endpoint} does not speak this API. Check that service.endpoint (the resource's "
            f"address without a path), service.kind and service.api fit together."
        )

    def _connection(self, error: openai.APIConnectionError) -> str:
        if isinstance(error, openai.APITimeoutError):
            return (
                f"The service at {self.endpoint} did not answer in time. Check the network and run the same again; "
                f"what is done stays done."
            )
        cause = str(error.__cause__ or error)
        if any(sign in cause for sign in _RESOLUTION_SIGNS):
            return f"The host name of {self.endpoint} is not known. Correct service.endpoint, or check the DNS."
        if "refused" in cause:
            return (
                f"Nothing listens at {self.endpoint} (connection refused). Correct service.endpoint, or start the "
                f"service there."
            )
        if "CERTIFICATE" in cause.upper():
            return (
                f"The certificate of {self.endpoint} is not trusted by this machine. Correct service.endpoint, or "
                f"add your company's certificate authority (SSL_CERT_FILE)."
            )
        return f"The service at {self.endpoint} cannot be reached. Check service.endpoint, network, proxy and firewall."

    def _status(self, error: openai.APIStatusError, action: str) -> str:
        status = error.status_code
        head = f"The service at {self.endpoint}"
        if self.kind == "databricks":
            return self._endpoint_status(error, action)
        said = f"{error.code or 'no code'}: {message_of(error)}"
        if status == 401:
            return (
                f"{head} refused the credential (401) while {action}. It came from {self.credential}. Put a valid "
                f"credential of this very resource there."
            )
        if status == 403:
            return f"{head} does not allow {action} (403, {said}). {self._permission()}"
        if status == 404 and error.code in _ADDRESS_CODES:
            return (
                f"{head} has nothing at the address that was asked while {action} (404). Check service.endpoint "
                f"(the resource's address without a path), service.kind and service.api."
            )
        if status == 429:
            return (
                f"{head} kept saying that there are too many requests while {action} (429, {said}). Run the same "
                f"again later, or raise the quota."
            )
        if status >= 500:
            return f"{head} failed while {action} ({status}, {said}). Run it again later; what is done stays done."
        return f"{head} refused {action} ({status}, {said}). {_request_hint(message_of(error))}"

    def _endpoint_status(self, error: openai.APIStatusError, action: str) -> str:
        """Explain what a serving endpoint answered, without its words: a model's own errors quote the chat."""
        head = f"{self.endpoint} answered {error.status_code} ({code_of(error)}) while {action}."
        remedies = {
            401: f"The credential came from {self.credential}. Put a valid one of this workspace there.",
            403: "Give the identity CAN QUERY on the serving endpoint, and check the workspace's network rules.",
            404: "There is no serving endpoint of that name. Run `finelake train` again, which makes it.",
            429: "Run the same again later, or raise service.huggingface.serving.workload_size.",
        }
        logs = "The endpoint's logs (Serving, its name, Logs) say why; correct that and run the same again."
        return f"{head} {remedies.get(error.status_code, logs)}"

    def _permission(self) -> str:
        if self.kind == "openai":
            return "Check the project and the rights of the key, and whether the organisation may still fine-tune."
        return (
            "Give the identity the role Foundry User or Cognitive Services OpenAI Contributor on the resource, and "
            "check the resource's network rules."
        )


def code_of(error: openai.APIStatusError) -> str:
    """Give the code of an error: OpenAI's, or that of Databricks."""
    body: Any = error.body
    named = body.get("error_code") if isinstance(body, dict) else None
    return str(error.code or named or "no code")


def message_of(error: openai.APIStatusError) -> str:
    """Give the service's own words, without the SDK's wrapping."""
    body: Any = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"]).strip()
    return "no message"


def _request_hint(message: str) -> str:
    lowered = message.lower()
    if "fine-tun" in lowered or "fine tun" in lowered or "model" in lowered:
        return (
            "Check model (a base model's id such as gpt-4.1-mini-2025-04-14, never a deployment's name), "
            "training.training_type, and that the resource's region offers fine-tuning of it."
        )
    return "Correct the setting that the message names and run the same again."
