"""Time as the driver sees it, so that tests can own it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` gives seconds from any fixed start and never goes back; `sleep` waits that many seconds.

    `wall` gives seconds since 1970 and may jump: it is for times that other machines read, never for a wait.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    wall: Callable[[], float] = time.time

    def keeping(self, keep: Callable[[], None], *, every: float) -> Clock:
        """Give a clock that sleeps in slices of at most `every` seconds and calls `keep` after each."""

        def sleep(seconds: float) -> None:
            left = seconds
            while left > 0:
                self.sleep(min(left, every))
                keep()
                left -= every

        return replace(self, sleep=sleep)
