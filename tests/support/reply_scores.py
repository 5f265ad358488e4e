"""Precision and recall of the rules about replies on the labelled cases."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from finelake.config.replies import Origins, Replies
from finelake.replies.judge import Judge
from finelake.replies.plan import ReplyPlan
from finelake.replies.talk import Talk

QUESTION = "Hello, I have a question about the bike that I rented from you last week."
CASES = Path(__file__).with_name("reply_cases.toml")


@dataclass(frozen=True)
class Case:
    """A user's message and the reply to it, with the rules that should find it."""

    user: str
    reply: str
    rules: frozenset[str]
    near: str


@dataclass
class Score:
    """What a rule found: rightly, wrongly, and what it missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def cases() -> list[Case]:
    """Read the labelled cases."""
    groups = tomllib.loads(CASES.read_text(encoding="utf-8"))["group"]
    return [
        Case(group.get("user", QUESTION), reply, frozenset(group["rules"]), group.get("near", ""))
        for group in groups
        for reply in group["replies"]
    ]


def found_in(judge: Judge, case: Case) -> set[str]:
    """Give the rules that find something in the case; that of languages counts in the cases about it alone."""
    messages = [{"role": "user", "content": case.user}, {"role": "assistant", "content": case.reply}]
    found = set(judge.find(Talk.of(messages), None))
    return found if "language" in (*case.rules, case.near) else found - {"language"}


def scores() -> dict[str, Score]:
    """Judge every case under the default settings; language counts where a case is about it alone."""
    judge = Judge(ReplyPlan(rules=Replies(), origins=Origins()))
    result: dict[str, Score] = defaultdict(Score)
    for case in cases():
        found = found_in(judge, case)
        for rule in found | case.rules:
            score = result[rule]
            score.right += rule in found and rule in case.rules
            score.wrong += rule in found and rule not in case.rules
            score.missed += rule not in found
    return dict(result)
