"""The clean conversations: languages, topics, people, tool calls, and enough variety to learn from."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter

import pytest

from pure.sample.conftest import Loaded
from pure.sample.detect import Row, defects_of

KANA = re.compile("[\u3040-\u30ff]")


def _texts(rows: list[Row], author: str) -> list[str]:
    return [row["text"] for row in rows if row["author"] == author]


def test_nothing_is_wrong_with_them(sample: Loaded) -> None:
    for name, rows in sample.clean.items():
        assert (name, defects_of(rows)) == (name, set())


def test_three_languages_and_their_script(sample: Loaded) -> None:
    languages = Counter(rows[0]["language"] for rows in sample.clean.values())
    assert set(languages) == {"en", "de", "ja"}
    assert min(languages.values()) > 130
    for rows in sample.clean.values():
        japanese = all(KANA.search(text) for text in _texts(rows, "agent") if text)
        assert japanese == (rows[0]["language"] == "ja")


def test_at_least_six_topics_in_every_language(sample: Loaded) -> None:
    topics = Counter((rows[0]["language"], rows[0]["topic"]) for rows in sample.clean.values())
    for language in ("en", "de", "ja"):
        assert sum(found == language for found, _ in topics) >= 6
    assert min(topics.values()) >= 4


def test_two_to_twelve_turns(sample: Loaded) -> None:
    lengths = {sum(row["author"] != "system" for row in rows) for rows in sample.clean.values()}
    assert min(lengths) == 2
    assert max(lengths) == 12


def test_people(sample: Loaded) -> None:
    users = Counter(rows[0]["user_id"] for rows in sample.conversations.values())
    assert users.pop(None) > 20
    assert len(users) == 60
    assert min(users.values()) > 1
    agents = {row["agent_id"] for rows in sample.clean.values() for row in rows if row["author"] == "agent"}
    assert len(agents) == 8


def test_origins_and_system_prompts(sample: Loaded) -> None:
    rows = [row for rows in sample.clean.values() for row in rows]
    origins = Counter(row["origin"] for row in rows if row["author"] == "agent")
    assert origins["human"] > origins["template"] > 0
    assert origins["model"] > 0
    assert {row["origin"] for row in rows if row["author"] == "customer"} == {"human"}
    prompts = {(row["language"], row["text"]) for row in rows if row["author"] == "system"}
    assert len(prompts) == 3
    with_prompt = sum(rows[0]["author"] == "system" for rows in sample.clean.values())
    assert 0.7 < with_prompt / len(sample.clean) < 0.95


@pytest.mark.parametrize("position", ["first question", "last answer"])
def test_hardly_two_are_alike(sample: Loaded, position: str) -> None:
    for language in ("en", "de", "ja"):
        chosen = [rows for rows in sample.clean.values() if rows[0]["language"] == language]
        first = position == "first question"
        texts = [_texts(rows, "customer")[0] if first else rows[-1]["text"] for rows in chosen]
        assert len(set(texts)) > 0.95 * len(texts)


def test_questions_differ_even_without_names_and_numbers(sample: Loaded) -> None:
    texts = [_texts(rows, "customer")[0] for rows in sample.clean.values() if rows[0]["language"] == "en"]
    shapes = {re.sub(r"[A-Z]\w+|\d+", "", text) for text in texts}
    assert len(shapes) > 0.8 * len(texts)


def test_house_formula_ends_every_conversation(sample: Loaded) -> None:
    endings = Counter((rows[0]["language"], rows[-1]["text"][-12:]) for rows in sample.clean.values())
    assert len(endings) == 3


def test_no_template_marks_are_left(sample: Loaded) -> None:
    for rows in sample.clean.values():
        for text in (*_texts(rows, "agent"), *_texts(rows, "system")):
            assert not re.search(r"[\[\]|{}]|  | [,.?]|\.\.|, \.", text), text


def test_tool_calls_are_answered_in_order(sample: Loaded) -> None:
    definitions = json.loads(sample.files.tools.read_text(encoding="utf-8"))
    functions = [definition["function"] for definition in definitions]
    parameters = {function["name"]: set(function["parameters"]["required"]) for function in functions}
    used: Counter[str] = Counter()
    for rows in sample.clean.values():
        for at, row in enumerate(rows):
            calls = row.get("tool_calls", [])
            results = rows[at + 1 : at + 1 + len(calls)]
            assert [call["id"] for call in calls] == [result.get("tool_call_id") for result in results]
            for call, result in zip(calls, results, strict=True):
                assert set(json.loads(call["function"]["arguments"])) == parameters[call["function"]["name"]]
                assert isinstance(json.loads(result["text"]), dict)
                used[call["function"]["name"]] += 1
    assert set(used) == set(parameters)


def test_share_of_tool_calls_and_parallel_ones(sample: Loaded) -> None:
    calls = [max(len(row.get("tool_calls", [])) for row in rows) for rows in sample.clean.values()]
    assert 0.15 < sum(count > 0 for count in calls) / len(calls) < 0.25
    assert sum(count > 1 for count in calls) >= 10


def test_answers_after_tool_calls_use_the_result(sample: Loaded) -> None:
    checked = 0
    for rows in sample.clean.values():
        for at, row in enumerate(rows[:-1]):
            stock = json.loads(row["text"]).get("stock") if row["author"] == "tool" else None
            if stock is not None:
                assert re.search(rf"(?<!\d){stock}(?!\d)", rows[at + 1]["text"])
                checked += 1
    assert checked >= 4


def test_lookalikes_are_there(sample: Loaded) -> None:
    texts = [text for rows in sample.clean.values() for text in _texts(rows, "customer")]
    for piece in ("\u2028", "\U0001f6b2", '{"role": "user"', "<endoftext>", "\r\n"):
        assert sum(piece in text for text in texts) >= 3
    assert sum(any(unicodedata.combining(sign) for sign in text) for text in texts) >= 3
    assert sum(any(unicodedata.bidirectional(sign) == "AL" for sign in text) for text in texts) >= 3
    assert sum(rows[0]["turn_index"] == 5 for rows in sample.clean.values()) >= 3
    assert sum(all(row["sent_at"] is None for row in rows) for rows in sample.clean.values()) >= 3
