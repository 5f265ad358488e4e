"""How much a deployment may answer: capacity times 1,000 tokens in any 60 seconds.

A generous rule: a request is refused only when the minute behind it already used everything up, so that one request
may exceed the rest of the minute. The count starts anew with the service.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict, deque

from finelake.emulator.clock import Clock
from finelake.emulator.errors import ApiError

_WINDOW_SECONDS = 60.0


class CapacityMeter:
    """Count the tokens of each deployment over the last minute of the service's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: defaultdict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self._lock = threading.Lock()

    def check(self, deployment: str, *, capacity: int) -> int:
        """Return how many tokens are left; ApiError 429 with Retry-After in wall seconds when none is."""
        now = self._clock.now()
        with self._lock:
            used = self._used[deployment]
            while used and used[0][0] <= now - _WINDOW_SECONDS:
                used.popleft()
            left = capacity * 1000 - sum(tokens for _, tokens in used)
            if left > 0:
                return left
            wait = max(1, math.ceil(self._clock.wall_seconds(used[0][0] + _WINDOW_SECONDS - now)))
        raise ApiError(
            429,
            "429",
            "Requests to the ChatCompletions_Create Operation have exceeded the token rate limit of this deployment "
            f"({capacity * 1000} tokens a minute). Please retry after {wait} seconds.",
            headers={"Retry-After": str(wait)},
        )

    def add(self, deployment: str, tokens: int) -> None:
        """Count the tokens of an answered request."""
        with self._lock:
            self._used[deployment].append((self._clock.now(), tokens))
