"""Ending a service that nobody needs: no request for a while, and no job that waits or runs."""

from __future__ import annotations

import logging
import os
import signal
import time

from finelake.emulator.state import Store

logger = logging.getLogger(__name__)


class Idleness:
    """Know when the last request came; with `seconds` of 0 the service is never ended."""

    def __init__(self, store: Store, *, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._last = time.monotonic()

    def note_request(self) -> None:
        """A request came."""
        self._last = time.monotonic()

    def end_when_idle(self) -> None:
        """End the process where it is due; called again and again by a background thread."""
        if not self._seconds or time.monotonic() - self._last < self._seconds:
            return
        row = self._store.row("SELECT 1 FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled', 'paused')")
        if row is None:
            logger.info("nobody asked anything for %.0f seconds: the service ends", self._seconds)
            os.kill(os.getpid(), signal.SIGTERM)
            self.note_request()
