"""Find text that a fine-tuning service refuses or that would train damage: it is reported, never rewritten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from finelake.conversations.turns import Decision, RepairPolicy, TurnRow, decision
from finelake.rules.registry import Rule, register

TEXT_INVALID_UNICODE = register(
    Rule(
        code="text_invalid_unicode",
        step="text",
        action="quarantine",
        summary="The text is not valid Unicode: bytes that are not UTF-8, or a lone surrogate.",
    )
)
TEXT_CONTROL_CHARACTERS = register(
    Rule(
        code="text_control_characters",
        step="text",
        action="quarantine",
        summary="The text has NUL or another control character other than tab, newline and carriage return.",
        policy_key="control_characters",
    )
)
TEXT_SPECIAL_TOKEN = register(
    Rule(
        code="text_special_token",
        step="text",
        action="quarantine",
        summary="The text spells a special token such as <|endoftext|>, which makes a fine-tuning job fail.",
        policy_key="special_tokens",
    )
)

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_INVISIBLE = _ZERO_WIDTH + " \t\n\r\xa0"
_find_control = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]").search
_find_surrogate = re.compile("[\ud800-\udfff]").search
find_special_token = re.compile(r"<\|[A-Za-z0-9_-]{1,64}\|>").search


def is_blank(text: str) -> bool:
    """Say whether a text shows nothing: white space and zero-width characters only."""
    rest = text.strip()
    return not rest or (rest[0] in _ZERO_WIDTH and not rest.strip(_INVISIBLE))


def check_text(
    turns: Sequence[TurnRow],
    positions: Iterable[int],
    *,
    more: Mapping[int, Sequence[str]],
    policy: RepairPolicy,
) -> list[Decision]:
    """Check the texts of the turns at these positions, and `more` texts by position (tool arguments and results)."""
    found: dict[str, list[int]] = {}
    first_control = ""
    for position in positions:
        turn = turns[position]
        text = turn.get("x")
        if turn.get("u"):
            found.setdefault(TEXT_INVALID_UNICODE.code, []).append(position)
        for part in (text, turn.get("n")):
            if part is not None and not (part.isprintable() and "<|" not in part):
                first_control = _scan(part, position, found) or first_control
    for position, texts in more.items():
        for text in texts:
            if not (text.isprintable() and "<|" not in text):
                first_control = _scan(text, position, found) or first_control
    return _decisions(found, first_control, policy) if found else []


def _scan(text: str, position: int, found: dict[str, list[int]]) -> str:
    """Note the text's rules by position and return the control character found, as U+0000 ("" for none)."""
    if _find_surrogate(text):
        found.setdefault(TEXT_INVALID_UNICODE.code, []).append(position)
    if "<|" in text and find_special_token(text):
        found.setdefault(TEXT_SPECIAL_TOKEN.code, []).append(position)
    control = _find_control(text)
    if not control:
        return ""
    found.setdefault(TEXT_CONTROL_CHARACTERS.code, []).append(position)
    return f"U+{ord(control[0]):04X}"


def _decisions(found: Mapping[str, list[int]], control: str, policy: RepairPolicy) -> list[Decision]:
    decisions = []
    for rule, action in (
        (TEXT_INVALID_UNICODE, TEXT_INVALID_UNICODE.action),
        (TEXT_CONTROL_CHARACTERS, policy.control_characters),
        (TEXT_SPECIAL_TOKEN, policy.special_tokens),
    ):
        turns = sorted(set(found.get(rule.code, ())))
        if turns:
            value = control if rule is TEXT_CONTROL_CHARACTERS else len(turns)
            decisions.append(decision(rule, turns, value=value, action=action))
    return decisions
