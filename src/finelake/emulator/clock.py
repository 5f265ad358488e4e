"""The service's own clock: it can run faster than the wall clock and be moved forward, and survives a restart."""

from __future__ import annotations

import threading
import time

from finelake.emulator.errors import invalid
from finelake.emulator.state import Store


class Clock:
    """Tell service time in seconds since 1970: wall time at the first start, then `speed` times as fast."""

    def __init__(self, store: Store, *, speed: float) -> None:
        self._store = store
        self._speed = speed
        self._wall = time.time()
        self._lock = threading.Lock()
        self._service = max(self._wall, float(store.setting("clock") or 0.0))

    def now(self) -> float:
        """Return the service's time."""
        with self._lock:
            return self._service + (time.time() - self._wall) * self._speed

    def advance(self, seconds: float) -> float:
        """Move the clock forward and return the new time; 400 when asked to go back."""
        if seconds < 0:
            raise invalid("The clock only goes forward; give seconds of 0 or more.", param="seconds")
        with self._lock:
            self._service += seconds
        self.persist()
        return self.now()

    def persist(self) -> None:
        """Record the time, so that a service that is killed and started again never goes back."""
        self._store.set_setting("clock", repr(self.now()))

    def wall_seconds(self, seconds: float) -> float:
        """Convert seconds of service time to seconds of wall time."""
        return seconds / self._speed
