"""Seeded schedules of faults and kills against a whole driver without Spark, each run until it ends.

Run as `python -m tests.http.training.schedules --count 300 --seed 1`. Each schedule draws: the API, the way of the
uploads, the share of requests that meet a fault, whether two drivers start at once, and up to six kills. A driver is
a forked process that is really killed: while a request of its is held, before or after the service acted, or in its
journal, before or after an entry is on disk. Prints one line of JSON with the counts; fails on the first schedule
that does not end with exactly one job, one file for each hash and two deployments.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.http.training.file_journal import Moments
from tests.http.training.setting import KEY, KEY_VARIABLE, Service, publish_examples, running_service, settings_for
from tests.http.training.sparkless import drive_without_spark

from finelake.config.settings import Settings
from finelake.errors import FinelakeError, RunBusyError, ServiceError
from finelake.services.connect import connect
from finelake.training.clock import Clock
from finelake.training.effects.upload import UploadPlan

MOST_STARTS = 20
SPEED = 200.0
_DEFECT = 99
_STUCK_SECONDS = 60.0
_FAST: dict[str, float] = {
    "file_seconds": 2.0,
    "queue_seconds": 2.0,
    "training_seconds": 2.0,
    "deployment_seconds": 4.0,
    "readiness_seconds": 4.0,
    "quota": 100_000,
}


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: of a request that is held, or of an append, counted from the start of the driver."""

    place: str
    at: int
    when: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """What happens in one schedule; the n-th start of a driver meets the n-th kill."""

    seed: int
    api: str
    parts: bool
    rivals: bool
    rate: float
    kills: tuple[Kill, ...]

    @classmethod
    def drawn(cls, seed: int) -> Schedule:
        """Draw the schedule of a seed."""
        chance = random.Random(seed)
        rivals = chance.random() < 0.2
        kills = [
            Kill("journal", chance.randint(1, 16), chance.choice(("before", "after")))
            if rivals or chance.random() < 0.35
            else Kill(chance.choice(("all", "effects", "effects")), 0, chance.choice(("before", "after")))
            for _ in range(chance.randint(0, 6))
        ]
        return cls(
            seed=seed,
            api=chance.choice(("v1", "dated")),
            parts=chance.random() < 0.4,
            rivals=rivals,
            rate=chance.choice((0.0, 0.1, 0.2, 0.35)),
            kills=tuple(
                Kill(kill.place, kill.at or chance.randint(1, 40 if kill.place == "all" else 6), kill.when)
                for kill in kills
            ),
        )


@dataclass(slots=True)
class Counts:
    """What all schedules together met."""

    schedules: int = 0
    starts: int = 0
    kills: int = 0
    most_starts: int = 0
    busy: int = 0
    refused: int = 0
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    killed_at: collections.Counter[str] = field(default_factory=collections.Counter)

    def view(self) -> dict[str, Any]:
        """Give the counts as JSON takes them."""
        return {
            "schedules": self.schedules,
            "starts": self.starts,
            "kills": self.kills,
            "most_starts_of_one": self.most_starts,
            "ended_as_busy": self.busy,
            "ended_with_service_error": self.refused,
            "faults": sum(self.kinds.values()),
            "faults_by_kind": dict(sorted(self.kinds.items())),
            "killed_at": dict(sorted(self.killed_at.items())),
        }


class Bench:
    """One service and one folder of published files, on which schedules are run one after the other."""

    def __init__(self, folder: Path, service: Service) -> None:
        self._folder = folder
        self._service = service
        self.counts = Counts()

    def warm_up(self) -> None:
        """Run once in this process, so that the forked drivers find everything imported."""
        schedule = Schedule(seed=0, api="v1", parts=True, rivals=False, rate=0.0, kills=())
        _drive(self._settings(schedule), self._folder / "warm-up", None)
        self._check(schedule)

    def run(self, schedule: Schedule) -> None:
        """Run one schedule to its end and check what is at the service."""
        folder = self._folder / f"schedule-{schedule.seed}"
        settings = self._settings(schedule)
        for start in range(MOST_STARTS):
            kill = schedule.kills[start] if start < len(schedule.kills) else None
            self._admin(self._plan(schedule, start, kill))
            codes = self._start(settings, folder, kill, drivers=2 if schedule.rivals and start == 0 else 1)
            if _DEFECT in codes:
                raise AssertionError(f"{schedule} met a defect: {(folder / 'errors.txt').read_text(encoding='utf-8')}")
            self._count()
            if 0 in codes:
                break
        else:
            said = (folder / "errors.txt").read_text(encoding="utf-8")
            raise AssertionError(f"{schedule} has not ended after {MOST_STARTS} starts: {said}")
        self.counts.schedules += 1
        self.counts.most_starts = max(self.counts.most_starts, start + 1)
        self._admin({})
        self._check(schedule)

    def _settings(self, schedule: Schedule) -> Settings:
        settings = settings_for(
            self._folder,
            url=self._service.url,
            service={"api": schedule.api},
            training={"epochs": 1, "batch_size": 4, "poll_seconds": 1.0},
        )
        return settings.model_copy(update={"project": "parts" if schedule.parts else "shop"})

    def _plan(self, schedule: Schedule, start: int, kill: Kill | None) -> dict[str, Any]:
        plan: dict[str, Any] = {"seed": schedule.seed * 100 + start, "rate": schedule.rate, "limit": 40}
        if kill is not None and kill.place != "journal":
            plan["hold"] = {"at": kill.at, "when": kill.when, "of": kill.place}
        return plan

    def _start(self, settings: Settings, folder: Path, kill: Kill | None, *, drivers: int) -> list[int]:
        moments = (kill.at, kill.when) if kill is not None and kill.place == "journal" else None
        children = [_fork(settings, folder, moments) for _ in range(drivers)]
        self.counts.starts += drivers
        return [self._wait(child, holds=kill is not None and moments is None) for child in children]

    def _wait(self, child: int, *, holds: bool) -> int:
        deadline = time.monotonic() + _STUCK_SECONDS
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return self._ended(os.waitstatus_to_exitcode(status))
            held = self._admin() if holds else {}
            if held.get("holding"):
                os.kill(child, signal.SIGKILL)
                self.counts.killed_at[_named(held["holding"])] += 1
                holds = False
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                raise AssertionError("a driver has not ended in time")
            time.sleep(0.004)

    def _ended(self, code: int) -> int:
        self.counts.kills += code == -signal.SIGKILL
        self.counts.busy += code == RunBusyError.exit_code
        self.counts.refused += code == ServiceError.exit_code
        return code if code in {0, -signal.SIGKILL, RunBusyError.exit_code, ServiceError.exit_code} else _DEFECT

    def _count(self) -> None:
        self.counts.kinds.update(fault["kind"] for fault in self._admin()["injected"])

    def _check(self, schedule: Schedule) -> None:
        jobs = self._service.jobs()
        files = self._service.client.files.list(purpose="fine-tune").data
        hashes = collections.Counter(file.filename.rsplit("-", 1)[-1] for file in files)
        with connect(self._settings(schedule).service) as connected:
            if connected.deployments is None:
                raise AssertionError("no resource manager")
            deployed = [one.name for one in connected.deployments.every()]
            found = (len(jobs), sorted(hashes.values()), len(deployed))
            if found != (1, [1, 1], 2):
                raise AssertionError(f"{schedule} left {found}: jobs, files of each hash, deployments")
            for name in deployed:
                connected.deployments.delete(name)
                while connected.deployments.find(name) is not None:
                    time.sleep(0.005)
        for file in self._service.client.files.list().data:
            self._service.client.files.delete(file.id)
        for job in jobs:
            self._service.client.delete(f"/fine_tuning/jobs/{job}", cast_to=object)

    def _admin(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self._service.url}/rehearsal/faults", headers={"api-key": KEY})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))


def _named(held: dict[str, str]) -> str:
    path = [part for part in held["path"].split("/") if part and not part.startswith(("file-", "ftjob-", "upload_"))]
    kind = "deployments/NAME" if path[-2:-1] == ["deployments"] else "/".join(path[-2:])
    return f"{held['when']} {held['method']} {kind}"


def _fork(settings: Settings, folder: Path, moments: tuple[int, str] | None) -> int:
    child = os.fork()
    if child:
        return child
    code = _DEFECT
    try:
        _drive(settings, folder, moments)
        code = 0
    except FinelakeError as error:
        code = error.exit_code
        _note(folder, str(error))
    finally:
        if code == _DEFECT:
            _note(folder, traceback.format_exc())
        os._exit(code)


def _note(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "errors.txt").open("a", encoding="utf-8") as out:
        out.write(f"{os.getpid()}: {text}\n")


def _drive(settings: Settings, folder: Path, moments: tuple[int, str] | None) -> None:
    clock = Clock(now=lambda: time.monotonic() * SPEED, sleep=lambda seconds: time.sleep(seconds / SPEED))
    uploads = UploadPlan(parts_above=0 if settings.project == "parts" else 2**20, part_bytes=400)
    drive_without_spark(settings, folder, moment=Moments(moments), clock=clock, uploads=uploads)


@contextmanager
def bench() -> Iterator[Bench]:
    """Run a service and give a bench on it."""
    os.environ[KEY_VARIABLE] = KEY
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        publish_examples(folder / "published", train=12, validation=10, test=3)
        with running_service(folder / "service", speed=SPEED, **_FAST) as service:
            on = Bench(folder, service)
            on.warm_up()
            yield on


def main() -> None:
    """Run the schedules that the arguments ask for and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="the first schedule's seed; the others count up")
    parser.add_argument("--seconds", type=float, default=0.0, help="begin no further schedule after so long")
    given = parser.parse_args()
    began = time.monotonic()
    with bench() as on:
        try:
            for seed in range(given.seed, given.seed + given.count):
                on.run(Schedule.drawn(seed))
                if 0 < given.seconds < time.monotonic() - began:
                    break
        finally:
            counted = {**on.counts.view(), "seconds": round(time.monotonic() - began, 1)}
            sys.stdout.write(json.dumps(counted) + "\n")


if __name__ == "__main__":
    main()
