"""The registry of rules: one meaning a code, and fingerprints that change with what governs a rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finelake.conversations.order import TURN_CLOCK_SKEW, TURN_DUPLICATE, TURN_GAP
from finelake.conversations.turns import RepairPolicy
from finelake.errors import FinelakeError
from finelake.rules.registry import RULES, Rule, fingerprint, register

SETTINGS = RepairPolicy().settings()


def test_a_code_has_one_meaning() -> None:
    assert register(TURN_GAP) is TURN_GAP
    with pytest.raises(FinelakeError, match="turn_gap"):
        register(replace(TURN_GAP, summary="Another meaning."))
    assert RULES["turn_gap"] is TURN_GAP


@pytest.mark.parametrize("code", ["", "Turn_gap", "turn-gap", "turn__gap", "turn_gap_", "1turn"])
def test_a_malformed_code_is_refused(code: str) -> None:
    with pytest.raises(FinelakeError, match="snake_case"):
        register(Rule(code=code, step="order", action="note", summary="x"))
    assert code not in RULES


def test_the_fingerprint_follows_rule_and_policy() -> None:
    base = fingerprint(TURN_GAP, SETTINGS)
    assert base == fingerprint(TURN_GAP, dict(reversed(SETTINGS.items())))
    assert len(base) == 16
    others = {
        fingerprint(TURN_GAP, RepairPolicy(gaps="keep").settings()),
        fingerprint(replace(TURN_GAP, version=2), SETTINGS),
        fingerprint(replace(TURN_GAP, action="note"), SETTINGS),
        fingerprint(TURN_DUPLICATE, SETTINGS),
    }
    assert base not in others
    assert len(others) == 4


def test_the_fingerprint_covers_the_threshold_and_nothing_foreign() -> None:
    looser = RepairPolicy(clock_skew_tolerance_seconds=9).settings()
    assert fingerprint(TURN_CLOCK_SKEW, SETTINGS) != fingerprint(TURN_CLOCK_SKEW, looser)
    assert fingerprint(TURN_GAP, SETTINGS) == fingerprint(TURN_GAP, looser)
    assert fingerprint(TURN_DUPLICATE, SETTINGS) == fingerprint(TURN_DUPLICATE, {})
