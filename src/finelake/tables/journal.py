"""The journal of a run: numbered entries, each written only where no entry of that number is.

The number is the fencing token. Who has read entry n may write entry n + 1; of two who try, one succeeds and the
other knows that it is no longer up to date, before it has done anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Kind = Literal["lease", "intent", "result"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One entry: `sequence` from 1, `holder` the driver that wrote it, `recorded_at` in UTC by that driver's clock.

    `lease` entries say that the driver is alive, or that it has ended (payload `{"released": true}`); `intent` is
    written before an outside effect, `result` after a step. Every entry renews its holder's lease.
    """

    sequence: int
    holder: str
    step: str
    entry: Kind
    payload: dict[str, Any]
    recorded_at: datetime


class Journal(Protocol):
    """Where the entries of one run are kept, durably."""

    @property
    def run_id(self) -> str: ...

    def read(self) -> list[Entry]:
        """Give all entries, in the order of their numbers."""
        ...

    def append(self, entry: Entry) -> bool:
        """Write an entry; False when an entry of this number was written by another holder."""
        ...
