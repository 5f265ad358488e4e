"""The pass over one slice, without Spark: what comes of each conversation, and how batches are cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finelake.annotate.one_pass import Worker, to_frame
from finelake.annotate.plan import PassPlan, plan_pass
from finelake.config.models import load_catalogue
from finelake.config.settings import Settings
from finelake.errors import ConfigError
from finelake.tokens.counter import counter_for
from support.quiet import NO_REPLY_RULES

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


def settings(**sections: Any) -> Settings:
    given = {
        "project": "test",
        "model": "gpt-4.1-mini-2025-04-14",
        "source": {"table": "t", "columns": {"turn_index": "turn_index"}},
    }
    return Settings.model_validate(given | sections)


def plan(tools: dict[str, Any] | None = None, **sections: Any) -> PassPlan:
    return plan_pass(settings(**sections), load_catalogue(), tools or {})


def turns(*texts: str) -> str:
    return json.dumps([{"i": n, "r": ("user", "assistant")[n % 2], "x": text} for n, text in enumerate(texts)])


def chat(*texts: str) -> str:
    roles = ("user", "assistant")
    return json.dumps([{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)])


def test_kept_and_refused_conversations_keep_their_places() -> None:
    texts = [turns("hi", "ho"), turns("hi"), turns("a", "b", "c", "d"), turns("x <|endoftext|>", "y"), None]
    found = Worker.start(plan()).annotate(texts, [None] * len(texts))
    assert [item.repaired.reasons for item in found] == [
        (),
        ("assistant_missing",),
        (),
        ("text_special_token",),
        ("user_missing", "assistant_missing"),
    ]
    assert [item.example is not None for item in found] == [True, False, True, False, False]


def test_counts_are_those_of_the_line_that_is_published() -> None:
    chosen = plan({"look_up": TOOL}, examples={"tools": {"include": "all"}})
    (item,) = Worker.start(chosen).annotate([turns("Wo ist 北京?", "Dort.")], [None])
    assert item.example is not None
    (expected,) = counter_for(chosen.encoding, chosen.overhead, "auto").count([json.loads(item.example.line)])
    assert item.tokens == expected
    assert expected.tools > 0


def test_what_is_redacted_is_what_is_counted_and_compared() -> None:
    texts = [turns("I am grace.hartley@example.com", "Welcome."), turns("I am [EMAIL_1]", "Welcome.")]
    redacted, plain = Worker.start(plan()).annotate(texts, [None, None])
    assert redacted.example is not None
    assert plain.example is not None
    assert redacted.example.line == plain.example.line
    assert redacted.tokens == plain.tokens
    rows = to_frame([redacted, plain], side="reply")
    assert rows.at[0, "dedup_key"] == rows.at[1, "dedup_key"]
    assert [made.reason for made in redacted.repaired.decisions] == ["privacy_email"]
    assert not plain.repaired.decisions


def test_a_payload_is_redacted_for_whatever_reason_a_conversation_is_set_aside() -> None:
    refused, aside = turns("I am a@example.com <|endoftext|>", "Welcome."), turns("I am a@example.com", "Welcome.")
    found = Worker.start(plan()).annotate([refused, aside, aside], [None] * 3, [False, True, False])
    assert [item.payload is not None for item in found] == [True, True, False]
    assert found[1].payload == turns("I am [EMAIL_1]", "Welcome.")
    assert "a@example.com" not in (found[0].payload or "")


def test_a_conversation_rejected_for_privacy_has_no_example() -> None:
    (item,) = Worker.start(plan(privacy={"email": "reject"})).annotate([turns("I am a@example.com", "Hi.")], [None])
    assert item.example is None
    assert item.repaired.reasons == ("privacy_email",)
    assert item.payload == turns("I am [EMAIL_1]", "Hi.")


def test_a_conversations_own_tools_go_before_those_of_the_plan() -> None:
    other = {"type": "function", "function": {"name": "other"}}
    worker = Worker.start(plan({"look_up": TOOL}, source={"table": "t", "layout": "conversations"}))
    own, bare, none = worker.annotate([chat("a", "b")] * 3, [json.dumps([other]), '[{"name": "other"}]', None])
    for item in (own, bare):
        assert item.example is not None
        assert json.loads(item.example.line)["tools"] == [other]
    assert none.example is not None
    assert "tools" not in json.loads(none.example.line)


@pytest.mark.parametrize(
    "tools",
    [
        "not json",
        "7",
        '{"name": "f"}',
        "[7]",
        "[{}]",
        '[{"name": "two words"}]',
        '[{"name": "f", "x": "\\ud83d"}]',
        "[null]",
    ],
)
def test_tools_that_cannot_be_read_set_the_conversation_aside(tools: str) -> None:
    worker = Worker.start(plan(source={"table": "t", "layout": "conversations"}))
    bad, good = worker.annotate([chat("a", "b")] * 2, [tools, None])
    assert bad.repaired.reasons == ("tools_unreadable",)
    assert bad.example is None
    assert good.example is not None
    row = to_frame([bad], side="reply").iloc[0]
    assert row["line"] == []
    assert row["turns_in"] == 2


def test_a_failed_check_is_a_decision_with_value_and_threshold() -> None:
    limited = plan(tokens={"max_per_example": 30}, examples={"long": "drop"}, replies=NO_REPLY_RULES)
    short, long = Worker.start(limited).annotate([turns("a", "b"), turns("word " * 40, "b")], [None, None])
    assert short.example is not None
    assert long.example is None
    (made,) = long.repaired.decisions
    assert (made.step, made.action, made.reason, made.threshold) == ("checks", "quarantine", "example_too_long", "30")
    assert int(made.value or 0) > 30


def test_a_model_without_a_limit_asks_for_one() -> None:
    catalogue = load_catalogue()
    model = next((model for model in catalogue.models if model.training_context is None), None)
    assert model is not None, "every model has a limit now: this test and the message it tests can go"
    with pytest.raises(ConfigError, match=r"(Set tokens\.max_per_example|cannot be counted|encoding)"):
        plan_pass(settings(model=model.id), catalogue, {})
