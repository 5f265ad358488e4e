"""Lines: which setting draws a line through which measure, on which side, and where one could be proposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from finelake.chat import ASSISTANT
from finelake.config.replies import Replies
from finelake.profile.measures import CONVERSATION

Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class LineOf:
    """A setting (`rule.field`) that draws a line through a measure of a role; beyond it lies what the rule finds."""

    role: str
    measure: str
    rule: str
    field: str
    side: Side

    @property
    def setting(self) -> str:
        """Name the setting as it stands in the configuration."""
        return f"replies.{self.rule}.{self.field}"

    def current(self, replies: Replies) -> float:
        """Give the setting's value."""
        return float(getattr(replies.rule(self.rule), self.field))


LINES = (
    LineOf(ASSISTANT, "symbols", "symbols", "max_share", "above"),
    LineOf(ASSISTANT, "digits", "digits", "max_share", "above"),
    LineOf(ASSISTANT, "repetition", "repetition", "max_share", "above"),
    LineOf(ASSISTANT, "canned", "canned", "min_count", "above"),
    LineOf(CONVERSATION, "length_ratio", "length_ratio", "min_ratio", "below"),
    LineOf(CONVERSATION, "length_ratio", "length_ratio", "max_ratio", "above"),
    LineOf(CONVERSATION, "turn_count", "turn_count", "min_messages", "below"),
    LineOf(CONVERSATION, "turn_count", "turn_count", "max_messages", "above"),
)
"""The lines that settings draw; measures of other roles have none, and their distribution is shown all the same."""


def proposed(side: Side, *, low: float, high: float) -> float:
    """Choose the line that leaves the wanted tail beyond it: the quantile of that tail, with three digits."""
    return float(f"{low if side == 'below' else high:.3g}")
