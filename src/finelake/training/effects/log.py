"""The write-ahead log of one run under a lease: only the driver that holds it can write, and so act.

A lease is the journal's last entry: its holder wrote it less than `lease_seconds` ago. Another driver takes over by
writing the next entry; from then on the former holder's writes fail, so it stops before its next effect. Renewing is
writing an entry too. Drivers' wall clocks must agree to within half of `lease_seconds`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from finelake.errors import RunBusyError
from finelake.tables.journal import Entry, Journal, Kind
from finelake.training.clock import Clock
from finelake.training.effects.holder import described, is_dead, new_holder

logger = logging.getLogger(__name__)

CLEANED = "cleaned"
_LEASE = "lease"
_RELEASED = {"released": True}


@dataclass(frozen=True, slots=True)
class _Sign:
    """When this driver wrote last: by the steady clock, which stops while a machine sleeps, and by the wall clock."""

    now: float
    wall: float


class EffectLog:
    """What a run recorded; after `acquire` also writes to it. Entries before the last clean-up count for nothing."""

    def __init__(self, journal: Journal, *, clock: Clock, lease_seconds: float) -> None:
        self.run_id = journal.run_id
        self.holder = new_holder()
        self.lease_seconds = lease_seconds
        self._journal = journal
        self._clock = clock
        self._sign: _Sign | None = None
        self._last: Entry | None = None
        self._promised = lease_seconds
        self._entries: dict[tuple[str, str], dict[str, Any]] = {}
        self._attempts: dict[str, int] = {}
        self._recorded_at: dict[str, float] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again."""
        self._entries.clear()
        self._attempts.clear()
        self._last = None
        for entry in self._journal.read():
            self._take(entry)

    def result(self, step: str) -> dict[str, Any] | None:
        """Give what a finished step recorded, or None when it is not finished."""
        return self._entries.get((step, "result"))

    def intent(self, step: str) -> dict[str, Any] | None:
        """Give what was written ahead of a step's last attempt, or None."""
        return self._entries.get((step, "intent"))

    def seconds_since(self, step: str) -> float:
        """Give how long ago a step's result was recorded, by the wall clocks; 0 when it is not, or a clock jumped."""
        recorded = self._recorded_at.get(step)
        return 0.0 if recorded is None else max(0.0, self._clock.wall() - recorded)

    def attempts(self, step: str) -> int:
        """Count how often a step's effect was about to be tried."""
        return self._attempts.get(step, 0)

    def steps(self) -> list[str]:
        """Give the steps that have an intent or a result, in the order in which they first had one."""
        return list(dict.fromkeys(step for step, entry in self._entries if entry != _LEASE))

    def busy_with(self) -> str | None:
        """Say who works on the run, or None when nobody does."""
        last = self._last
        if last is None or last.holder in {"", self.holder} or last.payload == _RELEASED or is_dead(last.holder):
            return None
        left = last.recorded_at.timestamp() + self._promised - self._clock.wall()
        if left <= 0:
            return None
        return (
            f"{described(last.holder)}, which last wrote at {last.recorded_at:%H:%M:%S} UTC; unless it writes again, "
            f"its lease ends in {left:.0f} seconds"
        )

    @property
    def is_held(self) -> bool:
        """Whether this driver has the lease, as far as it knows."""
        return self._sign is not None

    def acquire(self, *, take_over: bool = False) -> None:
        """Take the lease; with `take_over` from a driver that seems alive too. Raises RunBusyError when held."""
        self.refresh()
        holder = self.busy_with()
        if holder is not None and not take_over:
            raise RunBusyError(
                f"Run {self.run_id} is worked on by {holder}. Nothing was done here. Let that driver end; if it is "
                f"dead, run the same again after that time, or take the run over with --take-over."
            )
        self._write(_LEASE, "lease", {"seconds": self.lease_seconds})

    def keep(self) -> None:
        """Renew the lease when a third of it is over. Raises RunBusyError when another driver took over."""
        if self._sign is not None and self._age(self._sign) >= self.lease_seconds / 3:
            self._write(_LEASE, "lease", {"seconds": self.lease_seconds})

    def fence(self) -> None:
        """See, right before an effect, that the lease has a good while to go; else write anew.

        Raises RunBusyError when another driver took over, or the lease was never taken.
        """
        if self._sign is None:
            raise RunBusyError(f"Run {self.run_id} is not held by this driver, so it must not act.")
        if self._age(self._sign) >= self.lease_seconds / 2:
            self._write(_LEASE, "lease", {"seconds": self.lease_seconds})

    def release(self) -> None:
        """Give the lease back, so that the next driver need not wait; nothing where another driver took over."""
        if self._sign is None:
            return
        try:
            self._write(_LEASE, "lease", _RELEASED)
        except RunBusyError:
            logger.info("run %s was taken over before it was given back", self.run_id)
        self._sign = None

    def record_intent(self, step: str, payload: dict[str, Any]) -> None:
        """Write down, before an effect, what is about to be asked. Raises RunBusyError when the lease is lost."""
        self._write(step, "intent", payload)

    def record_result(self, step: str, payload: dict[str, Any]) -> None:
        """Write down what a step gave; from now on it is not repeated. Raises RunBusyError when the lease is lost."""
        self._write(step, "result", payload)

    def _write(self, step: str, kind: Kind, payload: dict[str, Any]) -> None:
        sign = _Sign(self._clock.now(), self._clock.wall())
        entry = Entry(
            sequence=(self._last.sequence if self._last is not None else 0) + 1,
            holder=self.holder,
            step=step,
            entry=kind,
            payload=payload,
            recorded_at=datetime.fromtimestamp(sign.wall, UTC),
        )
        if not self._journal.append(entry):
            self._sign = None
            raise RunBusyError(
                f"Run {self.run_id} is worked on by another driver now, so this one stops before its next step "
                f"({step}). What runs at the service goes on; run the same again when the other driver has ended."
            )
        self._sign = sign
        self._take(entry)

    def _take(self, entry: Entry) -> None:
        self._last = entry
        if entry.step == CLEANED:
            self._entries.clear()
            self._attempts.clear()
        self._entries[entry.step, entry.entry] = entry.payload
        # A lease lasts as long as its holder said, whatever this driver's settings are.
        self._promised = float(entry.payload.get("seconds", self._promised)) if entry.step == _LEASE else self._promised
        if entry.entry == "result":
            self._recorded_at[entry.step] = entry.recorded_at.timestamp()
        if entry.entry == "intent":
            self._attempts[entry.step] = self._attempts.get(entry.step, 0) + 1

    def _age(self, sign: _Sign) -> float:
        return max(self._clock.now() - sign.now, self._clock.wall() - sign.wall)
