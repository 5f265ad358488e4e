"""The truth about one planted defect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from finelake.sample.log import Entry

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "conversation_id_missing": "quarantined",
        "row_not_json": "quarantined",
        "turn_duplicate": "merged",
        "turn_order_ambiguous": "quarantined",
        "turn_index_missing": "quarantined",
        "turn_gap": "quarantined",
        "turn_clock_skew": "noted",
        "too_many_turns": "quarantined",
        "text_invalid_unicode": "quarantined",
        "text_control_characters": "quarantined",
        "text_special_token": "quarantined",
        "author_unknown": "quarantined",
        "turn_empty": "trimmed",
        "turn_merged": "merged",
        "assistant_leading": "trimmed",
        "user_trailing": "trimmed",
        "tool_trailing": "trimmed",
        "system_prompt_repeated": "merged",
        "system_prompt_conflict": "quarantined",
        "tool_result_without_call": "quarantined",
        "tool_call_without_result": "quarantined",
        "tool_arguments_invalid": "quarantined",
        "user_missing": "quarantined",
        "assistant_missing": "quarantined",
        "turn_too_long": "quarantined",
        "duplicate_exact": "merged",
        "reply_as_an_ai": "untrained",
        "reply_markup_only": "untrained",
        "reply_prompt_markup": "untrained",
        "reply_prompt_leak": "untrained",
        "reply_stack_trace": "untrained",
        "reply_tool_arguments": "untrained",
        "reply_tool_undefined": "untrained",
        "reply_refusal": "noted",
        "reply_handoff": "noted",
        "reply_apology": "noted",
        "reply_unfinished": "noted",
        "reply_html": "noted",
        "reply_symbols": "noted",
        "reply_digits": "noted",
        "reply_canned": "noted",
        "reply_echo": "noted",
        "reply_repetition": "noted",
        "reply_repeated_reply": "noted",
        "reply_language": "noted",
        "reply_length_ratio": "noted",
        "reply_turn_count": "noted",
        "reply_mojibake": "noted",
        "replies_untrained": "quarantined",
    }
)

ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "turn_too_long": ("reply_length_ratio",),
        "user_missing": ("assistant_leading", "assistant_missing"),
        "assistant_missing": ("user_trailing",),
    }
)
"""What a conversation with a defect must be found to have besides, since less is left of it."""
POSSIBLE: Mapping[str, tuple[str, ...]] = MappingProxyType({"tool_call_without_result": ("turn_merged",)})
"""What may be found besides: two calls become neighbours when the result between them is the one that was lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A defect with the log entries that carry it; `kept_id` names the original of a duplicate."""

    defect: str
    entries: tuple[Entry, ...]
    kept_id: str | None = None

    @property
    def outcome(self) -> str:
        """Return what the job must do about it under the default policies."""
        return OUTCOMES[self.defect]
