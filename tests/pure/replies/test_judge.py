"""What the judgement does to a conversation: notes, weights, reasons, origins and human tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finelake.annotate.one_pass import Annotation, Worker
from finelake.annotate.plan import plan_pass
from finelake.config.models import load_catalogue
from finelake.config.settings import Settings

QUESTION = "Where can I leave the bike tonight?"
FINE = "At the station behind the town hall, it has room."
BAD = "As an AI, I have never been to that station myself."
MODES = {"reject": "quarantine", "weight_0": "untrain", "warn": "note"}


def judge(*turns: dict[str, Any], **sections: Any) -> Annotation:
    given = {
        "project": "test",
        "model": "gpt-4.1-mini-2025-04-14",
        "source": {"table": "t", "columns": {"turn_index": "turn_index"}},
    }
    plan = plan_pass(Settings.model_validate(given | sections), load_catalogue(), {})
    rows = [{"i": n} | turn for n, turn in enumerate(turns)]
    (item,) = Worker.start(plan).annotate([json.dumps(rows)], [None])
    return item


def user(text: str = QUESTION) -> dict[str, Any]:
    return {"r": "user", "x": text}


def reply(text: str, origin: str | None = None) -> dict[str, Any]:
    return {"r": "assistant", "x": text, "o": origin}


def weights(item: Annotation) -> list[int]:
    assert item.example is not None
    return [message.get("weight", 1) for message in item.example.messages if message["role"] == "assistant"]


@pytest.mark.parametrize("action", MODES)
def test_the_setting_says_what_comes_of_a_finding(action: str) -> None:
    item = judge(user(), reply(FINE), user("And?"), reply(BAD), replies={"as_an_ai": {"action": action}})
    (made,) = item.repaired.decisions
    assert (made.step, made.reason, made.action, made.turns, made.value) == (
        "replies",
        "reply_as_an_ai",
        MODES[action],
        [3],
        "1",
    )
    if action == "reject":
        assert item.example is None
        assert item.repaired.reasons == ("reply_as_an_ai",)
    else:
        assert weights(item) == ([1, 0] if action == "weight_0" else [1, 1])


def test_a_rule_that_is_off_leaves_no_trace() -> None:
    item = judge(user(), reply(BAD), replies={"as_an_ai": {"action": "off"}})
    assert item.repaired.decisions == []
    assert weights(item) == [1]


def test_a_conversation_of_which_nothing_is_left_to_train_is_set_aside() -> None:
    item = judge(user(), reply(BAD), user("And?"), reply("<p></p>"))
    assert item.example is None
    assert item.repaired.reasons == ("replies_untrained",)
    assert {made.reason for made in item.repaired.decisions if made.action == "untrain"} == {
        "reply_as_an_ai",
        "reply_markup_only",
    }


def test_a_conversation_whose_weights_were_all_0_from_the_start_keeps_its_own_reason() -> None:
    item = judge(user(), reply(BAD) | {"w": 0})
    assert item.repaired.reasons == ("assistant_missing",)


def test_a_rule_about_the_conversation_unweights_every_reply() -> None:
    turns = [user("word " * 100), reply("Yes, it is."), user("ok"), reply("Fine, bye!")]
    item = judge(*turns, replies={"length_ratio": {"action": "weight_0"}})
    assert item.repaired.reasons == ("replies_untrained",)


def test_a_message_joined_of_turns_is_judged_as_it_is_trained() -> None:
    item = judge(user(), reply("Here is the answer that you asked for,"), reply("the gate opens at six."))
    assert {made.reason for made in item.repaired.decisions} == {"turn_merged"}
    cut = judge(user(), reply("The gate opens at six."), reply("and then we go on with the,"))
    assert [(made.reason, made.turns) for made in cut.repaired.decisions if made.step == "replies"] == [
        ("reply_unfinished", [1, 2])
    ]


def test_replies_are_judged_after_their_personal_data_is_replaced() -> None:
    item = judge(user(), reply("Write to tom.miller@example.org, he knows the station."))
    assert "tom.miller" not in json.dumps([item.example.messages if item.example else None])
    assert {made.step for made in item.repaired.decisions} == {"privacy"}


@pytest.mark.parametrize(
    ("policy", "origins", "expected"),
    [
        ({}, ["human", "gpt-4"], [1, 1]),
        ({"GPT-4": "weight_0"}, ["human", "gpt-4 "], [1, 0]),
        ({"unknown": "weight_0"}, [None, "human"], [0, 1]),
        ({"human": "train"}, ["human", None], [1, 1]),
    ],
)
def test_each_origin_has_its_policy(policy: dict[str, str], origins: list[str | None], expected: list[int]) -> None:
    item = judge(
        user(), reply(FINE, origins[0]), user("And?"), reply("Yes, all night.", origins[1]), origins={"policy": policy}
    )
    assert weights(item) == expected
    made = [each for each in item.repaired.decisions if each.reason == "reply_origin"]
    assert [(each.action, each.turns) for each in made] == (
        [("untrain", [2 * expected.index(0) + 1])] if 0 in expected else []
    )


def test_an_origin_can_be_rejected_and_the_default_covers_the_rest() -> None:
    sections = {"origins": {"policy": {"human": "train"}, "default": "reject"}}
    item = judge(user(), reply(FINE, "gpt-4"), **sections)
    assert item.repaired.reasons == ("reply_origin",)
    (made,) = item.repaired.decisions
    assert (made.value, made.threshold) == ("default", "reject")
    assert judge(user(), reply(FINE, "human"), **sections).example is not None


@pytest.mark.parametrize(
    ("policy", "expected"), [({"bot": "weight_0"}, 0), ({"bot": "weight_0", "mixed": "train"}, 1), ({}, 1)]
)
def test_of_a_message_of_several_origins_the_strictest_counts(policy: dict[str, str], expected: int) -> None:
    turns = [
        user(),
        reply(FINE, "bot"),
        reply("It is open all night.", "human"),
        user("Thanks"),
        reply("Bye!", "human"),
    ]
    assert weights(judge(*turns, origins={"policy": policy})) == [expected, 1]


def test_tokens_of_human_replies_are_counted() -> None:
    def counted(*origins: str | None) -> tuple[int, int]:
        item = judge(user(), reply(FINE, origins[0]), user("And?"), reply("Yes, all night long.", origins[1]))
        (human,), ((_, tokens),) = item.human_tokens, item.windows
        return human, tokens.trained

    all_human, trained = counted("human", "Human")
    first, second = counted("agent", "bot")[0], counted(None, "edited")[0]
    assert all_human == trained
    assert counted(None, None)[0] == counted("bot", "bot")[0] == 0
    assert first > second > 0
    assert first + second == trained


def test_only_replies_that_humans_wrote_whole_count_as_human() -> None:
    item = judge(user(), reply(FINE, "human"), reply("It is open.", "bot"), user("Thanks"), reply("Bye!", "human"))
    assert 0 < item.human_tokens[0] < item.windows[0][1].trained / 2


def test_stored_conversations_take_the_origin_of_their_row_or_of_their_text() -> None:
    given = {
        "project": "test",
        "model": "gpt-4.1-mini-2025-04-14",
        "source": {"table": "t", "layout": "conversations"},
        "origins": {"rules": [{"origin": "bot", "text": "^Beep"}], "policy": {"bot": "weight_0"}},
    }
    plan = plan_pass(Settings.model_validate(given), load_catalogue(), {})
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Beep, the gate opens at six."}]
    talk += [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "It closes at nine, as always."}]
    by_text, by_row = Worker.start(plan).annotate([json.dumps(talk)] * 2, [None] * 2, None, [None, "human"])
    assert weights(by_text) == [0, 1]
    assert weights(by_row) == [1, 1]
    assert by_row.human_tokens == [by_row.windows[0][1].trained]
    assert by_text.human_tokens == [0]
