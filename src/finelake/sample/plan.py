"""Which defect is planted how often, by what function, into what kind of conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from finelake.sample.conversation import Wish
from finelake.sample.defect import Finding
from finelake.sample.log import Entry
from finelake.sample.phrasebook import Phrasebook
from finelake.sample.planted import order, replies, structure, text


@dataclass(frozen=True, kw_only=True, slots=True)
class Planting:
    """A defect function, how many conversations get it and what these must be like.

    `loose` marks defects of single rows that belong to no whole conversation; they count as no conversation.
    `language` asks for one language, None for each in turn; `near_miss` marks what only looks like a defect.
    """

    plant: Callable[[list[Entry], Random, Phrasebook], list[Finding]]
    times: int = 4
    wish: Wish
    loose: bool = False
    language: str | None = None
    near_miss: bool = False


_TALK = Wish(tools=False)
_LONG_TALK = Wish(tools=False, follow_ups=2, thanks=True)
_SYSTEM_TALK = Wish(tools=False, system_prompt=True, follow_ups=2, thanks=True)
_ONE_CALL = Wish(tools=True, parallel=False)
_SHORT_TALK = Wish(tools=False, system_prompt=False, follow_ups=0, thanks=False, ask_reference=False)
# Above replies.canned.min_count, which is 50.
_CANNED_TIMES = 55
_SAID = (
    "as_an_ai",
    "refusal",
    "handoff",
    "apology",
    "unfinished",
    "markup_only",
    "prompt_markup",
    "stack_trace",
    "html",
    "symbols",
    "digits",
    "repetition",
    "language",
    "mojibake",
)
_REPLY_TIMES, _NEAR_TIMES = 6, 3

_REPLIES = (
    *(Planting(plant=replies.said(rule), times=_REPLY_TIMES, wish=_TALK) for rule in _SAID),
    Planting(plant=replies.said("canned"), times=_CANNED_TIMES, wish=_SHORT_TALK, language="en"),
    Planting(plant=replies.reply_prompt_leak, times=_REPLY_TIMES, wish=_SYSTEM_TALK),
    Planting(plant=replies.reply_echo, times=_REPLY_TIMES, wish=_TALK),
    Planting(plant=replies.reply_repeated_reply, times=_REPLY_TIMES, wish=_TALK),
    Planting(plant=replies.reply_length_ratio, wish=_SHORT_TALK),
    Planting(plant=replies.reply_turn_count, times=3, wish=_TALK),
    Planting(plant=replies.reply_tool_undefined, wish=_ONE_CALL),
    Planting(plant=replies.reply_tool_arguments, wish=_ONE_CALL),
    Planting(plant=replies.replies_untrained, wish=_SHORT_TALK),
)
_NEAR_MISSES = (
    *(Planting(plant=replies.nearly(rule), times=_NEAR_TIMES, wish=_TALK, near_miss=True) for rule in _SAID),
    Planting(plant=replies.near_prompt_leak, times=_NEAR_TIMES, wish=_SYSTEM_TALK, near_miss=True),
    Planting(plant=replies.near_echo, times=_NEAR_TIMES, wish=_TALK, near_miss=True),
    Planting(plant=replies.near_repeated_reply, times=_NEAR_TIMES, wish=_TALK, near_miss=True),
    Planting(plant=replies.near_length_ratio, times=_NEAR_TIMES, wish=_SHORT_TALK, near_miss=True),
    Planting(plant=replies.near_turn_count, times=_NEAR_TIMES, wish=_TALK, near_miss=True),
    Planting(plant=replies.near_tools, times=_NEAR_TIMES, wish=_ONE_CALL, near_miss=True),
)

PLAN = (
    Planting(plant=order.conversation_id_missing, wish=_TALK, loose=True),
    Planting(plant=order.row_not_json, wish=_TALK, loose=True),
    Planting(plant=order.turn_duplicate, times=6, wish=_LONG_TALK),
    Planting(plant=order.turn_order_ambiguous, wish=_TALK),
    Planting(plant=order.turn_index_missing, wish=_TALK),
    Planting(plant=order.turn_gap, wish=_LONG_TALK),
    Planting(plant=order.turn_clock_skew, wish=_LONG_TALK),
    Planting(plant=order.too_many_turns, times=2, wish=_TALK),
    Planting(plant=order.duplicate_exact, times=6, wish=_TALK),
    Planting(plant=text.text_invalid_unicode, wish=_TALK),
    Planting(plant=text.text_control_characters, times=5, wish=_TALK),
    Planting(plant=text.text_special_token, times=5, wish=_TALK),
    Planting(plant=text.turn_too_long, times=2, wish=_TALK),
    Planting(plant=structure.author_unknown, wish=_TALK),
    Planting(plant=structure.turn_empty, times=6, wish=_TALK),
    Planting(plant=structure.turn_merged, times=6, wish=_TALK),
    Planting(plant=structure.assistant_leading, times=6, wish=_TALK),
    Planting(plant=structure.user_trailing, times=6, wish=_TALK),
    Planting(plant=structure.tool_trailing, wish=Wish(tools=True, ask_reference=True)),
    Planting(plant=structure.system_prompt_repeated, wish=_SYSTEM_TALK),
    Planting(plant=structure.system_prompt_conflict, wish=_SYSTEM_TALK),
    Planting(plant=structure.tool_result_without_call, wish=_TALK),
    Planting(plant=structure.tool_call_without_result, wish=_ONE_CALL),
    Planting(plant=structure.tool_arguments_invalid, times=5, wish=_ONE_CALL),
    Planting(plant=structure.user_missing, wish=Wish(tools=False, system_prompt=True)),
    Planting(plant=structure.assistant_missing, wish=Wish(tools=False, system_prompt=True)),
    *_REPLIES,
    *_NEAR_MISSES,
)
LOOKALIKE_TIMES = 3
CLEAN_MINIMUM = 40


def planned_conversations() -> int:
    """Return how many conversations the plan spoils; a duplicate counts as one, its clean original being another."""
    return sum(planting.times for planting in PLAN if not planting.loose)


def smallest_sample() -> int:
    """Return the least number of conversations that leaves enough clean ones."""
    return planned_conversations() + _originals() + CLEAN_MINIMUM


def clean_conversations(conversations: int) -> int:
    """Return how many clean ones are to be written besides the planted ones and the originals of duplicates."""
    return conversations - planned_conversations() - _originals()


def _originals() -> int:
    return sum(planting.times for planting in PLAN if planting.plant is order.duplicate_exact)
