"""Registry, settings and code list the same rules, and each one says what its policies are."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from finelake.config.replies import OriginRule, Origins, Replies
from finelake.replies.catalogue import ACTIONS, REPLIES_UNTRAINED, REPLY_ORIGIN, REPLY_RULES
from finelake.replies.phrases import shipped_phrases
from finelake.replies.plan import ReplyPlan
from finelake.replies.talk_rules import TALK_RULES
from finelake.replies.turn_rules import TURN_RULES
from finelake.rules.catalogue import all_rules
from finelake.rules.registry import fingerprint

ELSEWHERE = {"canned", "language", "tool_arguments", "tool_undefined"}


def test_settings_registry_and_functions_name_the_same_rules() -> None:
    assert list(Replies.model_fields) == list(REPLY_RULES)
    assert {*TURN_RULES, *TALK_RULES, *ELSEWHERE} == set(REPLY_RULES)
    assert {f"reply_{key}" for key in REPLY_RULES} | {"reply_origin", "reply_weight_0", "reply_not_last"} == {
        code for code in all_rules() if code.startswith("reply_")
    }


def test_each_rule_says_what_a_missing_value_counts_as_and_where_its_default_comes_from() -> None:
    for rule in (*REPLY_RULES.values(), REPLY_ORIGIN):
        assert rule.nulls.endswith("."), rule.code
        assert rule.source.endswith("."), rule.code
    assert REPLIES_UNTRAINED.nulls.endswith(".")


def test_the_action_of_the_registry_is_that_of_the_default_settings() -> None:
    for key, rule in REPLY_RULES.items():
        assert rule.action == ACTIONS[Replies().rule(key).action]


def test_a_changed_threshold_changes_the_fingerprint_of_its_rule_alone() -> None:
    def prints(rules: Replies) -> dict[str, str]:
        plan = ReplyPlan(rules=rules, origins=Origins())
        return {key: fingerprint(rule, plan.settings()) for key, rule in REPLY_RULES.items()}

    before, after = prints(Replies()), prints(Replies.model_validate({"echo": {"min_words": 9}}))
    assert {key for key in before if before[key] != after[key]} == {"echo"}


@pytest.mark.parametrize("wrong", ['{"echo": {"words": 3}}', '{"ecko": {}}', '{"echo": {"action": "drop"}}'])
def test_an_unknown_setting_is_an_error(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Replies.model_validate(json.loads(wrong))


@pytest.mark.parametrize("wrong", [{}, {"text": "("}, {"metadata": {}}])
def test_an_origin_rule_needs_a_condition_that_can_be_tested(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OriginRule.model_validate({"origin": "bot", **wrong})


def test_each_phrase_holds_its_cheap_look_and_is_in_plain_form() -> None:
    for rule, hints in shipped_phrases().items():
        for hint, phrases in hints.items():
            for phrase in phrases:
                assert hint in phrase, (rule, phrase)
                assert phrase == phrase.lower().replace("\u2019", "'"), phrase
