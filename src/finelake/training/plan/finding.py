"""What a check says: a verdict with what was found, what the limit is and who says so, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "refuse", "unknown"]
Group = Literal["data", "model", "service", "deployment", "money"]

OWN_RULE = "finelake's own threshold"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One finding. `unknown` means that it could not be looked at here; `remedy` is empty where nothing is to be done.

    `limit` and `source` are empty where no limit applies. No text of the data is in any field.
    """

    check: str
    verdict: Verdict
    found: str
    limit: str = ""
    source: str = ""
    remedy: str = ""
