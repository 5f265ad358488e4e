"""Asking again, and creating once although answers get lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import openai
import pytest

from finelake.errors import ServiceError
from finelake.services.contact import Contact
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
    kind = {404: openai.NotFoundError, 429: openai.RateLimitError}.get(code, openai.APIStatusError)
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
    assert time.slept == [10.0, 10.0, 7.0, 10.0]


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
    assert OUTAGE_SECONDS - 10.0 <= time.now <= OUTAGE_SECONDS


def test_a_used_up_budget_is_not_waited_out() -> None:
    assert pause_after(status(429, error_code="insufficient_quota"), usual=1.0) is None
    assert pause_after(status(429, retry_after="100000"), usual=1.0) == 300.0
    assert pause_after(status(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), usual=1.0) == 1.0


@pytest.mark.parametrize(
    ("error", "arrived"),
    [(LOST, True), (REFUSED, False), (status(500), True), (status(408), True), (status(429), False)],
)
def test_what_may_have_arrived(error: openai.APIError, *, arrived: bool) -> None:
    assert may_have_arrived(error) is arrived


class Shelf:
    """A service that keeps what is created, and may lose the answer or show it late."""

    def __init__(self, *outcomes: Exception | None, shown_after: int = 0) -> None:
        self.kept: list[str] = []
        self.outcomes = list(outcomes)
        self.created = 0
        self.looks = 0
        self.shown_after = shown_after

    def find(self) -> str | None:
        self.looks += 1
        return self.kept[0] if self.kept and self.looks > self.shown_after else None

    def create(self) -> str:
        self.created += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is None or may_have_arrived(outcome):
            self.kept.append(f"job {self.created}")
        if outcome is not None:
            raise outcome
        return self.kept[-1]


def make(shelf: Shelf, *, looks: int = 1) -> str:
    return FakeTime().patience().create_once(find=shelf.find, create=shelf.create, action="creating", looks=looks)


def test_what_is_there_is_not_created() -> None:
    shelf = Shelf()
    shelf.kept.append("job 0")
    assert make(shelf) == "job 0"
    assert shelf.created == 0


def test_a_lost_answer_creates_nothing_twice() -> None:
    shelf = Shelf(LOST, shown_after=2)
    assert make(shelf) == "job 1"
    assert shelf.created == 1


def test_a_request_that_was_never_sent_is_repeated() -> None:
    shelf = Shelf(REFUSED, status(429, retry_after="3"))
    assert make(shelf) == "job 3"
    assert (shelf.created, len(shelf.kept)) == (3, 1)


def test_an_earlier_request_that_shows_late_is_waited_for() -> None:
    shelf = Shelf(shown_after=2)
    shelf.kept.append("job of the killed start")
    assert make(shelf, looks=3) == "job of the killed start"
    assert shelf.created == 0


def test_creating_ends_after_some_attempts() -> None:
    shelf = Shelf(*[REFUSED] * 50)
    with pytest.raises(ServiceError, match="Gave up creating"):
        make(shelf)
    assert shelf.created < 10


def test_a_refused_request_is_not_repeated() -> None:
    shelf = Shelf(status(400))
    with pytest.raises(ServiceError, match="refused creating"):
        make(shelf)
    assert shelf.created == 1
