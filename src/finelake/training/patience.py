"""Asking again when that can help, and creating things once when asking again could create two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import openai

from finelake.errors import ServiceError
from finelake.services.contact import Contact
from finelake.training.clock import Clock

Answer = TypeVar("Answer")

OUTAGE_SECONDS = 1800.0
"""How long a service may stay silent before the driver gives up; what runs there goes on."""

MISSING_SECONDS = 30.0
"""How long something that was just made may still be unknown to the service (404)."""

_LONGEST_PAUSE = 300.0
_ATTEMPTS = 3
_LOOKS = 3
_NOT_SENT = {"ConnectError", "ConnectTimeout"}


@dataclass(frozen=True, slots=True)
class Patience:
    """Who is asked, by which clock, and the usual pause in seconds between two questions."""

    contact: Contact
    clock: Clock
    pause: float

    def ask(self, call: Callable[[], Answer], *, action: str, fresh: bool = False) -> Answer:
        """Repeat a question that changes nothing until it is answered.

        A `fresh` thing may be missing (404) for a while. Raises ServiceError when asking again cannot help, or the
        service stays silent for half an hour.
        """
        began = self.clock.now()
        while True:
            try:
                return call()
            except openai.APIError as error:
                waited = self.clock.now() - began
                wait = pause_after(error, usual=self.pause)
                if fresh and is_missing(error) and waited < MISSING_SECONDS:
                    wait = self.pause
                if wait is None or waited + wait > OUTAGE_SECONDS:
                    raise self.contact.explain(error, action) from None
            self.clock.sleep(wait)

    def create_once(
        self,
        *,
        find: Callable[[], Answer | None],
        create: Callable[[], Answer],
        action: str,
        looks: int = 1,
    ) -> Answer:
        """Give what `find` finds, else create it; never creates again while the first may have arrived.

        `create` must not retry by itself. After an answer that was lost, the service is looked through several
        times before the next attempt. Raises ServiceError when the service refuses or stays unclear.
        """
        found = self._look(find, looks)
        last: openai.APIError | None = None
        for _ in range(_ATTEMPTS):
            if found is not None:
                return found
            try:
                return create()
            except openai.APIError as error:
                wait = pause_after(error, usual=self.pause)
                if wait is None:
                    raise self.contact.explain(error, action) from None
                last = error
            self.clock.sleep(wait)
            found = self._look(find, _LOOKS if may_have_arrived(last) else 1)
        if found is not None:
            return found
        said = self.contact.explain(last, action) if last is not None else ""
        raise ServiceError(
            f"Gave up {action} after {_ATTEMPTS} attempts, none of which is known to have worked. {said}"
        )

    def _look(self, find: Callable[[], Answer | None], looks: int) -> Answer | None:
        for look in range(looks):
            if look > 0:
                self.clock.sleep(self.pause)
            found = find()
            if found is not None:
                return found
        return None


def pause_after(error: openai.APIError, *, usual: float) -> float | None:
    """Give the seconds to wait before asking again, by the service's Retry-After where it says so.

    None when asking again cannot help.
    """
    if isinstance(error, openai.APIConnectionError):
        return usual
    if not isinstance(error, openai.APIStatusError) or error.code == "insufficient_quota":
        return None
    if error.status_code not in {408, 409, 429} and error.status_code < 500:
        return None
    return min(_retry_after(error) or usual, _LONGEST_PAUSE)


def is_missing(error: openai.APIError) -> bool:
    """Tell whether the service does not know what it was asked for."""
    return isinstance(error, openai.NotFoundError)


def may_have_arrived(error: openai.APIError) -> bool:
    """Tell whether a request that failed with this error may have been carried out all the same."""
    if isinstance(error, openai.APIConnectionError):
        return type(error.__cause__).__name__ not in _NOT_SENT
    return not isinstance(error, openai.APIStatusError) or error.status_code >= 500 or error.status_code == 408


def _retry_after(error: openai.APIStatusError) -> float | None:
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:
        return None
