"""What is measured of one conversation: numbers a turn and numbers of the whole, and the rules that find something.

Texts are seen as the rules see them: after the repair and after personal data was replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from finelake.annotate.plan import PassPlan
from finelake.chat import ASSISTANT, decode_json
from finelake.conversations.repair import repair, repair_conversation
from finelake.privacy.redact import Privacy
from finelake.replies.catalogue import REPLY_RULES
from finelake.replies.conditions import plain_text, signature
from finelake.replies.judge import Judge
from finelake.replies.plan import ReplyPlan
from finelake.replies.talk import Found, Talk, said, units_of
from finelake.replies.talk_rules import repeated_share
from finelake.replies.turn_rules import CHARACTER_CLASSES

CONVERSATION = "conversation"
EXCERPT = 200
_REPEATING_WORDS = 20


@dataclass(slots=True)
class Measured:
    """One turn, or the whole conversation (`turn` None): its numbers by measure and the rules that found something.

    `signature` is that of a reply long enough to count as canned.
    """

    turn: int | None
    role: str
    text: str
    values: dict[str, float]
    found: list[str] = field(default_factory=list)
    signature: str | None = None


class Measurer:
    """Measure conversations with every rule on, whatever the settings switch off."""

    def __init__(self, plan: PassPlan) -> None:
        """Build what is needed once; the plan's own policies hold for repair and privacy."""
        self._plan = plan
        self._privacy = Privacy(plan.privacy)
        self._judge = Judge(all_on(plan.replies))
        self._definitions = plan.example.tools.definitions if plan.replies.definitions_given else None
        self._shares = {name: re.compile(pattern).sub for name, pattern in CHARACTER_CLASSES.items()}

    def measure(self, text: str | None) -> Iterator[Measured]:
        """Give the measures of a conversation (turns or a stored chat, as JSON); none where it is set aside."""
        if self._plan.layout == "turns":
            repaired = repair(decode_json(text or "[]"), policy=self._plan.repair)
        else:
            repaired = repair_conversation(text, policy=self._plan.repair)
        if not repaired.reasons:
            self._privacy.protect(repaired)
        if repaired.reasons:
            return
        talk = Talk.of(repaired.messages)
        found = self._judge.find(talk, self._definitions)
        for n, message in enumerate(repaired.messages):
            content = message.get("content")
            if content:
                names = sorted(name for name, item in found.items() if n in item.messages)
                turn = repaired.positions[n][0] if repaired.positions[n] else None
                values = self._of_turn(content, message["role"])
                signed = self._signature(content) if message["role"] == ASSISTANT else None
                yield Measured(turn, message["role"], content[:EXCERPT], values, names, signed)
        yield self._whole(talk, found)

    def _signature(self, text: str) -> str | None:
        long_enough = len(text) >= self._plan.replies.rules.canned.min_characters
        return signature(plain_text(text)) if long_enough else None

    def _of_turn(self, text: str, role: str) -> dict[str, float]:
        words = said(0, text).words
        units, parts = units_of(words)
        values = {"characters": float(len(text)), "words": len(units) / parts}
        values |= {name: 1 - len(strip("", text)) / len(text) for name, strip in self._shares.items()}
        if role == ASSISTANT and len(units) >= _REPEATING_WORDS * parts:
            values["repetition"] = repeated_share(words, _REPEATING_WORDS)
        return values

    def _whole(self, talk: Talk, found: dict[str, Found]) -> Measured:
        user = sum(len(item.raw) for item in talk.users)
        assistant = sum(len(item.raw) for item in talk.replies)
        values = {"turn_count": float(len(talk.users) + len(talk.replies))}
        if assistant:
            values["length_ratio"] = user / assistant
        names = sorted(name for name, item in found.items() if item.whole or not item.messages)
        return Measured(None, CONVERSATION, "", values, names)


def all_on(plan: ReplyPlan) -> ReplyPlan:
    """Give the plan with every rule on."""
    rules = {key: plan.rules.rule(key).model_copy(update={"action": "warn"}) for key in REPLY_RULES}
    return ReplyPlan(
        rules=plan.rules.model_copy(update=rules),
        origins=plan.origins,
        canned=plan.canned,
        definitions_given=plan.definitions_given,
        stored=plan.stored,
    )
