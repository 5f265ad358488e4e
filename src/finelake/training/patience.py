"""Asking again when that can help: how long, how often, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import openai

from finelake.errors import ServiceError
from finelake.services.contact import Contact, PassingError
from finelake.services.waits import retry_after
from finelake.training.clock import Clock

Answer = TypeVar("Answer")

OUTAGE_SECONDS = 1800.0
"""How long a service may stay silent before the driver gives up; what runs there goes on."""

MISSING_SECONDS = 30.0
"""How long something that was just made may still be unknown to the service (404)."""

_LONGEST_PAUSE = 300.0
_LONGEST_BACKOFF = 60.0
_RENEWALS = 2
_NOT_SENT = {"ConnectError", "ConnectTimeout"}


def _nothing_to_renew() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Patience:
    """Who is asked, by which clock, and the usual pause in seconds between two questions.

    `renew` gets a new credential after a 401 and tells whether asking again makes sense.
    """

    contact: Contact
    clock: Clock
    pause: float
    renew: Callable[[], bool] = _nothing_to_renew

    def ask(self, call: Callable[[], Answer], *, action: str, fresh: bool = False) -> Answer:
        """Repeat a question that changes nothing until it is answered.

        A `fresh` thing may be missing (404) for a while. Raises ServiceError when asking again cannot help, or the
        service stays silent for half an hour.
        """
        began, tries = self.clock.now(), Tries(self)
        while True:
            try:
                return call()
            except (openai.APIError, PassingError) as error:
                waited = self.clock.now() - began
                wait = tries.wait(error)
                if fresh and is_missing(error) and waited < MISSING_SECONDS:
                    wait = self.pause
                if wait is None or waited + wait > OUTAGE_SECONDS:
                    raise self.explained(error, action) from None
            self.clock.sleep(wait)

    def keeping(self, keep: Callable[[], None], *, every: float) -> Patience:
        """Give the same patience that calls `keep` at least `every` so many seconds of waiting."""
        return replace(self, clock=self.clock.keeping(keep, every=every))

    def explained(self, error: Exception, action: str) -> ServiceError:
        """Say what happened while `action`, and what to do."""
        if isinstance(error, openai.OpenAIError):
            return self.contact.explain(error, action)
        return ServiceError(f"{error} It happened while {action}.")


@dataclass(slots=True)
class Tries:
    """How often one question failed, and so how long to wait: doubling pauses, or what the service says."""

    patience: Patience
    failed: int = field(default=0)
    refused: int = field(default=0)

    def wait(self, error: Exception) -> float | None:
        """Give the seconds to wait after this error; None when asking again cannot help."""
        pause = self.patience.pause
        usual = min(pause * 2.0 ** min(self.failed, 16), max(pause, _LONGEST_BACKOFF))
        self.failed += 1
        if isinstance(error, openai.AuthenticationError):
            self.refused += 1
            return pause if self.refused <= _RENEWALS and self.patience.renew() else None
        if isinstance(error, PassingError):
            return min(usual if error.retry_after is None else error.retry_after, _LONGEST_PAUSE)
        return pause_after(error, usual=usual) if isinstance(error, openai.APIError) else None


def pause_after(error: openai.APIError, *, usual: float) -> float | None:
    """Give the seconds to wait before asking again, by the service's Retry-After where it says so.

    None when asking again cannot help.
    """
    if isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError):
        return usual
    if not isinstance(error, openai.APIStatusError) or error.code == "insufficient_quota":
        return None
    if error.status_code not in {408, 409, 429} and error.status_code < 500:
        return None
    headers = error.response.headers
    asked = retry_after(headers.get("retry-after"), answered_at=headers.get("date"))
    return min(usual if asked is None else asked, _LONGEST_PAUSE)


def is_missing(error: Exception) -> bool:
    """Tell whether the service does not know what it was asked for."""
    return isinstance(error, openai.NotFoundError)


def may_have_arrived(error: Exception) -> bool:
    """Tell whether a request that failed with this error may have been carried out all the same."""
    if isinstance(error, PassingError):
        return True
    if isinstance(error, openai.APIConnectionError):
        return type(error.__cause__).__name__ not in _NOT_SENT
    return not isinstance(error, openai.APIStatusError) or error.status_code >= 500 or error.status_code == 408
