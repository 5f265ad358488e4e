"""Doing a thing once under a lease: intents before effects, answers that get lost, drivers that are replaced."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import openai
import pytest

from finelake.errors import RunBusyError, ServiceError
from finelake.services.contact import Contact, UnreadableError
from finelake.tables.journal import Entry
from finelake.training.clock import Clock
from finelake.training.effects.batch import QuestionBatches
from finelake.training.effects.holder import is_dead, new_holder
from finelake.training.effects.log import CLEANED, EffectLog
from finelake.training.effects.perform import Effect, perform
from finelake.training.patience import Patience, may_have_arrived

REQUEST = httpx.Request("POST", "https://shop.openai.azure.com/openai/v1/fine_tuning/jobs")
LEASE = 600.0


@dataclass
class Time:
    """A clock that moves when somebody sleeps; the wall clock moves alike unless a test moves it."""

    now: float = 0.0
    wall: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.wall += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep, wall=lambda: self.wall)

    def patience(self) -> Patience:
        contact = Contact(endpoint="https://shop.openai.azure.com", credential="environment variable K", kind="azure")
        return Patience(contact=contact, clock=self.clock, pause=10.0)


@dataclass
class Memory:
    """A journal in memory, shared by the drivers of one test."""

    run_id: str = "run"
    entries: list[Entry] = field(default_factory=list)

    def read(self) -> list[Entry]:
        return list(self.entries)

    def append(self, entry: Entry) -> bool:
        found = next((one for one in self.entries if one.sequence == entry.sequence), None)
        if found is None:
            self.entries.append(entry)
        return found is None or found.holder == entry.holder


def log_on(journal: Memory, time: Time, *, elsewhere: str | None = None) -> EffectLog:
    """Open a log; `elsewhere` makes it the log of a driver on another machine."""
    log = EffectLog(journal, clock=time.clock, lease_seconds=LEASE)
    if elsewhere is not None:
        log.holder = f"{elsewhere}/0000/1/1/ffff"
    return log


def status(code: int, *, retry_after: str | None = None) -> openai.APIStatusError:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    response = httpx.Response(code, headers=headers, request=REQUEST)
    return openai.APIStatusError("said", response=response, body={"code": "x", "message": "said"})


def cut(cause: Exception) -> openai.APIConnectionError:
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = cause
    return error


LOST = cut(httpx.RemoteProtocolError("server disconnected"))
REFUSED = cut(httpx.ConnectError("connection refused"))


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


def make(shelf: Shelf, *, journal: Memory | None = None, time: Time | None = None) -> str:
    time = time or Time()
    log = log_on(journal or Memory(), time)
    log.acquire()
    effect = Effect("job", {"suffix": "s"}, find=shelf.find, act=shelf.create, action="creating")
    return perform(effect, log=log, patience=time.patience())


def test_what_is_there_is_neither_written_down_nor_created() -> None:
    shelf, journal = Shelf(), Memory()
    shelf.kept.append("job 0")
    assert make(shelf, journal=journal) == "job 0"
    assert shelf.created == 0
    assert [entry.entry for entry in journal.entries] == ["lease"]


def test_what_is_asked_for_is_written_down_before() -> None:
    journal = Memory()
    seen: list[list[str]] = []

    class Noting(Shelf):
        def create(self) -> str:
            seen.append([entry.step for entry in journal.entries if entry.entry == "intent"])
            return super().create()

    assert make(Noting(), journal=journal) == "job 1"
    assert seen == [["job"]]


@pytest.mark.parametrize("lost", [LOST, status(500), status(408), UnreadableError("a web page")])
def test_a_lost_answer_creates_nothing_twice(lost: Exception) -> None:
    shelf = Shelf(lost, shown_after=5)
    assert make(shelf) == "job 1"
    assert shelf.created == 1


def test_a_request_that_was_never_carried_out_is_repeated() -> None:
    shelf = Shelf(REFUSED, status(429, retry_after="3"), status(409))
    assert make(shelf) == "job 4"
    assert (shelf.created, len(shelf.kept)) == (4, 1)


def test_a_killed_drivers_request_that_shows_late_is_waited_for() -> None:
    journal, shelf = Memory(), Shelf(shown_after=4)
    killed = log_on(journal, Time())
    killed.acquire()
    killed.record_intent("job", {"suffix": "s"})
    killed.release()
    shelf.kept.append("job of the killed driver")
    assert make(shelf, journal=journal) == "job of the killed driver"
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


def test_of_two_drivers_one_works_and_the_other_says_who() -> None:
    journal, time = Memory(), Time()
    first, second = log_on(journal, time, elsewhere="host-a"), log_on(journal, time)
    first.acquire()
    with pytest.raises(RunBusyError, match=r"process 1 on host-a.*lease ends in 600 seconds"):
        second.acquire()
    assert len(journal.entries) == 1
    first.release()
    second.acquire()
    assert journal.entries[-1].holder == second.holder


def test_a_lease_lasts_as_long_as_its_holder_said() -> None:
    journal, time = Memory(), Time()
    patient = log_on(journal, time, elsewhere="host-a")
    patient.acquire()
    hasty = EffectLog(journal, clock=time.clock, lease_seconds=10.0)
    time.sleep(LEASE - 1)
    with pytest.raises(RunBusyError):
        hasty.acquire()
    time.sleep(2.0)
    hasty.acquire()


def test_two_drivers_that_start_at_the_same_moment_do_not_both_hold() -> None:
    class Racing(Memory):
        def append(self, entry: Entry) -> bool:
            if entry.holder == late.holder and not early.is_held:
                early.acquire()
            return super().append(entry)

    journal, time = Racing(), Time()
    early, late = log_on(journal, time, elsewhere="host-a"), log_on(journal, time)
    with pytest.raises(RunBusyError, match="another driver now"):
        late.acquire()
    early.record_intent("job", {})
    with pytest.raises(RunBusyError):
        late.fence()


def test_a_driver_that_slept_too_long_acts_no_more() -> None:
    journal, time = Memory(), Time()
    slow = log_on(journal, time, elsewhere="host-a")
    slow.acquire()
    time.wall += LEASE + 1  # the machine was suspended: the steady clock stood still
    log_on(journal, time).acquire()
    shelf = Shelf()
    effect = Effect("job", {}, find=shelf.find, act=shelf.create, action="creating")
    with pytest.raises(RunBusyError, match="another driver now"):
        perform(effect, log=slow, patience=time.patience())
    with pytest.raises(RunBusyError):
        slow.record_result("job", {"job_id": "x"})
    assert shelf.created == 0


def test_a_driver_suspended_between_intent_and_effect_writes_anew_first() -> None:
    journal, time = Memory(), Time()
    log = log_on(journal, time, elsewhere="host-a")
    log.acquire()
    log.record_intent("job", {})
    time.wall += LEASE / 2 + 1
    log.fence()
    assert journal.entries[-1].entry == "lease"
    time.wall += LEASE + 1
    log_on(journal, time).acquire()
    with pytest.raises(RunBusyError):
        log.fence()


def test_waiting_keeps_the_lease() -> None:
    journal, time = Memory(), Time()
    log = log_on(journal, time, elsewhere="host-a")
    log.acquire()
    patient = time.patience().keeping(log.keep, every=LEASE / 3)
    patient.clock.sleep(4 * LEASE)
    other = log_on(journal, time)
    with pytest.raises(RunBusyError, match="worked on"):
        other.acquire()
    other.acquire(take_over=True)
    with pytest.raises(RunBusyError):
        patient.clock.sleep(LEASE)


def test_the_lease_of_a_dead_process_is_taken_over_at_once(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        (tmp_path / "holder").write_text(new_holder(), encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    dead = (tmp_path / "holder").read_text(encoding="utf-8")
    assert is_dead(dead)
    assert not is_dead(new_holder())
    assert not is_dead("another-host/0000/1/1/ffff")
    journal, time = Memory(), Time()
    killed = log_on(journal, time)
    killed.holder = dead
    killed.acquire()
    log_on(journal, time).acquire()
    assert len(journal.entries) == 2


def test_entries_before_a_clean_up_count_for_nothing() -> None:
    journal, time = Memory(), Time()
    log = log_on(journal, time)
    log.acquire()
    log.record_intent("job", {})
    log.record_result("upload", {"train": "file-1"})
    log.record_result(CLEANED, {})
    again = log_on(journal, time)
    assert (again.result("upload"), again.attempts("job")) == (None, 0)


def test_questions_that_may_have_been_paid_are_counted() -> None:
    journal, time = Memory(), Time()
    log = log_on(journal, time)
    log.acquire()
    batches = QuestionBatches(log)
    batches.end(batches.begin(["b", "a"], at_once=4))
    assert QuestionBatches(log_on(journal, time)).unclear() == 0
    assert batches.begin(["a", "b"], at_once=4) != batches.begin(["c", "d", "e"], at_once=4)
    again = log_on(journal, time)
    assert QuestionBatches(again).unclear() == 3
    batches.begin(["c", "d", "e"], at_once=2)
    batches.stay()
    again.refresh()
    assert QuestionBatches(again).unclear() == 2
    other = log_on(journal, time, elsewhere="host-a")
    other.acquire(take_over=True)
    with pytest.raises(RunBusyError):
        batches.begin(["f"], at_once=4)


def test_the_age_of_a_result_survives_a_clock_that_jumps() -> None:
    journal, time = Memory(), Time()
    log = log_on(journal, time)
    log.acquire()
    log.record_result("job", {"job_id": "x"})
    time.sleep(90.0)
    assert log.seconds_since("job") == 90.0
    time.wall -= 3600.0
    assert log.seconds_since("job") == 0.0
