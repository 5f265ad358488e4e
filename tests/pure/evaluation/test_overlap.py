"""Tests of finelake.evaluation.overlap: items in the training file are found, their like are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finelake.config.evaluation import Overlap
from finelake.evaluation.item import Item
from finelake.evaluation.overlap import Found, find_overlap
from finelake.evaluation.replies import Reply

SYSTEM = {"role": "system", "content": "You work at a railway desk."}
LONG = "please tell me when the night train from Aachen to Zwickau with the sleeping car leaves on the second Sunday"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def item(*messages: dict[str, Any], reference: str | None = "It leaves at nine.") -> Item:
    return Item(
        "c1", 0, len(messages), "g", {"messages": list(messages)}, None if reference is None else Reply(reference)
    )


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Three lines: two chats, and filler."""
    lines = [
        [SYSTEM, user("Good day"), said("Hello.")],
        [SYSTEM, user("When does it leave?"), said("It leaves at nine!"), user("Thanks"), said("You're welcome.")],
        [SYSTEM, user("One thing, " + LONG), said("At ten past eight in the evening.")],
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps({"messages": line}) + "\n" for line in lines), encoding="utf-8")
    return path


def found(train: Path, *items: Item, **config: Any) -> list[Found]:
    return find_overlap(items, [train], config=Overlap(**config))


def test_the_same_messages_are_found_whatever_case_and_punctuation(train: Path) -> None:
    assert found(train, item(user("when does it LEAVE"))) == [Found(0, "same_messages", 1.0, 2)]


def test_both_answers_of_a_preference_line_are_training_data(tmp_path: Path) -> None:
    answers = {"preferred_output": [said("It leaves at nine.")], "non_preferred_output": [said("I heard: " + LONG)]}
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps({"input": {"messages": [user("When does it leave?")]}, **answers}), encoding="utf-8")
    assert found(path, item(user("When does it leave?"))) == [Found(0, "same_messages", 1.0, 1)]
    assert [one.kind for one in found(path, item(user(LONG), reference=None))] == ["ngrams"]


def test_another_system_prompt_does_not_hide_it(train: Path) -> None:
    assert found(train, item({"role": "system", "content": "Other."}, user("When does it leave?")))


def test_the_same_question_with_another_answer_or_past_is_not_the_same(train: Path) -> None:
    assert not found(train, item(user("When does it leave?"), reference="At ten."))
    assert not found(train, item(user("Hi"), said("Hello."), user("When does it leave?")))
    assert not found(train, item(user("Thanks"), reference="You're welcome."))


def test_a_prompt_without_reference_is_found_by_its_messages(train: Path) -> None:
    assert found(train, item(user("good day"), reference=None)) == [Found(0, "same_messages", 1.0, 1)]


def test_messages_cannot_pass_for_others_by_being_joined(train: Path) -> None:
    assert not found(train, item(user("Good day Hello"), reference=None))


def test_a_long_text_is_found_by_its_ngrams(train: Path) -> None:
    (only,) = found(train, item(user(LONG), reference=None))
    assert (only.kind, only.share, only.line) == ("ngrams", 1.0, 3)


def test_share_is_of_the_items_ngrams_in_one_line(train: Path) -> None:
    asked = item(user(f"{LONG} and whether it has a dining car that is open until eleven at night"), reference=None)
    assert not found(train, asked)
    (only,) = found(train, asked, share=0.2)
    words = len(asked.request["messages"][0]["content"].split())
    assert only.share == pytest.approx((len(LONG.split()) - 12) / (words - 12))


def test_texts_shorter_than_an_ngram_are_compared_whole_only(train: Path) -> None:
    assert not found(train, item(user("the night train from Aachen"), reference=None))


def test_each_item_is_told_once_with_its_strongest_finding(tmp_path: Path) -> None:
    line = json.dumps({"messages": [user(LONG), said("At eight.")]})
    (tmp_path / "a").write_text(json.dumps({"messages": [user("Well " + LONG), said("No.")]}) + "\n" + line + "\n")
    both = find_overlap([item(user("x")), item(user(LONG), reference="At eight.")], [tmp_path / "a"], config=Overlap())
    assert both == [Found(1, "same_messages", 1.0, 2)]
