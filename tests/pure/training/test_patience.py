"""Asking again, and creating once although answers get lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx
import openai
import pytest

from finelake.errors import ServiceError
from finelake.services.contact import Contact
from finelake.services.waits import retry_after
from finelake.training.clock import Clock
from finelake.training.patience import MISSING_SECONDS, OUTAGE_SECONDS, Patience, may_have_arrived, pause_after

REQUEST = httpx.Request("POST", "https://shop.openai.azure.com/openai/v1/fine_tuning/jobs")


@dataclass
class FakeTime:
    """A clock that moves when somebody sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def patience(self) -> Patience:
        contact = Contact(endpoint="https://shop.openai.azure.com", credential="environment variable K", kind="azure")
        return Patience(contact=contact, clock=Clock(now=lambda: self.now, sleep=self.sleep), pause=10.0)


def status(code: int, *, retry_after: str | None = None, error_code: str = "x") -> openai.APIStatusError:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    response = httpx.Response(code, headers=headers, request=REQUEST)
    kind = {401: openai.AuthenticationError, 404: openai.NotFoundError, 429: openai.RateLimitError}.get(
        code, openai.APIStatusError
    )
    return kind("said", response=response, body={"code": error_code, "message": "said"})


def cut(cause: Exception) -> openai.APIConnectionError:
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = cause
    return error


LOST = cut(httpx.RemoteProtocolError("server disconnected"))
REFUSED = cut(httpx.ConnectError("connection refused"))


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


def test_a_question_is_asked_until_it_is_answered() -> None:
    time = FakeTime()
    call = failing(LOST, status(503), status(429, retry_after="7"), status(408))
    assert time.patience().ask(call, action="asking") == "answer"
    assert time.slept == [10.0, 20.0, 7.0, 60.0]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_a_refusal_is_said_at_once(code: int) -> None:
    time = FakeTime()
    with pytest.raises(ServiceError, match=r"while asking|refused asking|allow asking"):
        time.patience().ask(failing(status(code)), action="asking")
    assert time.slept == []


def test_a_fresh_thing_may_be_missing_for_a_while_only() -> None:
    time = FakeTime()
    assert time.patience().ask(failing(status(404), status(404)), action="asking", fresh=True) == "answer"
    with pytest.raises(ServiceError):
        time.patience().ask(failing(*[status(404)] * 100), action="asking", fresh=True)
    assert time.now <= MISSING_SECONDS + 4 * 10.0


def test_an_outage_ends_the_patience() -> None:
    time = FakeTime()
    with pytest.raises(ServiceError, match=r"Nothing listens|cannot be reached"):
        time.patience().ask(failing(*[LOST] * 1000), action="asking")
    assert OUTAGE_SECONDS - 60.0 <= time.now <= OUTAGE_SECONDS


def test_a_used_up_budget_is_not_waited_out() -> None:
    assert pause_after(status(429, error_code="insufficient_quota"), usual=1.0) is None
    assert pause_after(status(429, retry_after="100000"), usual=1.0) == 300.0


@pytest.mark.parametrize(
    ("value", "answered_at", "seconds"),
    [
        ("7", None, 7.0),
        ("-3", None, 0.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2026 09:28:30 +0200", "Wed, 21 Oct 2026 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None, 0.0),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_a_retry_after_is_read_by_the_services_own_clock(
    value: str | None, answered_at: str | None, seconds: float | None
) -> None:
    assert retry_after(value, answered_at=answered_at) == seconds


def test_an_expired_token_is_renewed_twice_and_no_more() -> None:
    renewed: list[bool] = []

    def renew() -> bool:
        renewed.append(True)
        return True

    time = FakeTime()
    patient = replace(time.patience(), renew=renew)
    assert patient.ask(failing(status(401), status(401)), action="asking") == "answer"
    with pytest.raises(ServiceError, match="refused the credential"):
        patient.ask(failing(*[status(401)] * 9), action="asking")
    assert len(renewed) == 4


def test_an_answer_that_is_not_the_apis_is_asked_for_again() -> None:
    time = FakeTime()
    patient = time.patience()
    pages = ["<html>", "<html>"]

    def call() -> object:
        return pages.pop() if pages else status(503)

    assert patient.ask(lambda: patient.contact.readable(call, needs="status_code"), action="asking")
    assert time.slept == [10.0, 20.0]


@pytest.mark.parametrize(
    ("error", "arrived"),
    [(LOST, True), (REFUSED, False), (status(500), True), (status(408), True), (status(429), False)],
)
def test_what_may_have_arrived(error: openai.APIError, *, arrived: bool) -> None:
    assert may_have_arrived(error) is arrived
