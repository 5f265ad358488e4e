"""What a rule found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["unknown", "fine", "warning", "severe"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What `rule` found, in words with its numbers; `advice` says what to change. `unknown`: too little data."""

    rule: str
    level: Level
    words: str
    advice: str = ""

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should read it."""
        return self.level in {"warning", "severe"}

    @property
    def sentence(self) -> str:
        """Words and advice in one line."""
        return f"{self.words} {self.advice}".rstrip()

    def as_record(self) -> dict[str, Any]:
        """Give the finding as it is recorded."""
        return asdict(self)
