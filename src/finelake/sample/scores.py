"""Precision and recall of the job's reason codes on the sample: what was planted against what was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from finelake.sample.defect import ALSO, POSSIBLE


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleScore:
    """One rule's conversations: planted, found, and found rightly; what may be found besides is left out of all."""

    code: str
    planted: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """The share of what was found that was planted; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """The share of what was planted that was found; 1 where nothing was planted."""
        return self.right / self.planted if self.planted else 1.0


def score_rules(truth: Iterable[Mapping[str, Any]], found: Mapping[str, Set[str]]) -> list[RuleScore]:
    """Score every code that was planted or found, in the order of their names.

    `truth` are the rows of truth.jsonl, `found` the ids of the conversations that each code was given to. Defects of
    rows without a conversation are left out.
    """
    expected: dict[str, set[str]] = defaultdict(set)
    possible: dict[str, set[str]] = defaultdict(set)
    for row in truth:
        name, defect = row["conversation_id"], str(row["defect"])
        if name is None or not row["turn_indexes"]:
            continue
        for code in (defect, *ALSO.get(defect, ())):
            expected[code].add(name)
        for code in POSSIBLE.get(defect, ()):
            possible[code].add(name)
    return [
        _score(code, expected[code], found.get(code, set()) - possible[code]) for code in sorted({*expected, *found})
    ]


def _score(code: str, planted: Set[str], found: Set[str]) -> RuleScore:
    return RuleScore(code=code, planted=len(planted), found=len(found), right=len(planted & found))
