"""Tables whose rows hold whole conversations: arrays of structs, JSON text, ShareGPT; ids, own tools, catalog names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.curate import Curation, curate
from support.lake import decisions, outcomes, published_lines, settings_for, table

pytestmark = pytest.mark.spark

MESSAGES = (
    "array<struct<role: string, content: string, "
    "tool_calls: array<struct<id: string, type: string, function: struct<name: string, arguments: string>>>, "
    "tool_call_id: string>>"
)
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


def said(role: str, content: str | None, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": None, "tool_call_id": None} | more


def chat(n: int) -> list[dict[str, Any]]:
    return [said("user", f"Is item {n} in stock?"), said("assistant", f"Item {n} is in stock.")]


def calling() -> list[dict[str, Any]]:
    call = {"id": "call_9", "type": "function", "function": {"name": "look_up", "arguments": '{"item": 9}'}}
    return [
        said("user", "Look up item nine."),
        said("assistant", None, tool_calls=[call]),
        said("tool", '{"stock": 3}', tool_call_id="call_9"),
        said("assistant", "Three are left."),
    ]


@pytest.fixture(scope="module")
def structs(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Curation]:
    """Structs under given ids, read and written by catalog names; the column names hold a space's stand-in, a dot."""
    folder = tmp_path_factory.mktemp("structs")
    rows = [(f"s{n}", chat(n)) for n in range(12)] + [("calling", calling())]
    rows += [("twice", chat(90))] * 3 + [("clash", chat(91)), ("clash", chat(92))]
    rows += [("empty", []), ("stranger", [said("narrator", "Once."), *chat(93)]), (None, chat(94)), ("null", None)]
    frame = spark.createDataFrame(rows, f"id string, messages {MESSAGES}").withColumnRenamed("id", "chat.id")
    frame.write.format("delta").saveAsTable("layout_chats")
    settings = settings_for(
        folder,
        source={
            "table": "layout_chats",
            "layout": "conversations",
            "columns": {"conversation_id": "chat.id"},
        },
        tables={"location": "default", "prefix": "layout_"},
    )
    return settings, curate(spark, settings)


def test_structs_are_read_as_they_are(structs: tuple[Settings, Curation], spark: SparkSession) -> None:
    settings, curation = structs
    kept = {row["conversation_id"]: row for row in table(spark, settings, "examples").collect()}
    assert kept.keys() == {*(f"s{n}" for n in range(12)), "calling", "twice"}
    line = json.loads(kept["calling"]["line"])
    assert line["messages"][1]["content"] is None
    assert line["messages"][1]["tool_calls"][0]["function"] == {"name": "look_up", "arguments": '{"item": 9}'}
    assert line["messages"][2]["tool_call_id"] == "call_9"
    assert curation.tables["examples"]["table"] == "default.layout_examples"


def test_rows_under_one_id_must_be_equal(structs: tuple[Settings, Curation], spark: SparkSession) -> None:
    settings, curation = structs
    found, made = outcomes(spark, settings), decisions(spark, settings)
    assert made["conversation_repeated"] == {"twice"}
    assert (found["twice"]["action"], found["twice"]["rows"]) == ("keep", 3)
    assert made["conversation_conflict"] == {"clash"}
    assert (found["clash"]["action"], found["clash"]["rows"]) == ("quarantine", 2)
    payload = table(spark, settings, "quarantine").where("conversation_id = 'clash'").select("payload").first()
    assert payload is not None
    assert [json.loads(text) for text in sorted(json.loads(payload[0]))] == [
        [{key: value for key, value in message.items() if value is not None} for message in chat(n)] for n in (91, 92)
    ]
    assert curation.balance.rows_in == 22


def test_unreadable_ones_are_set_aside(structs: tuple[Settings, Curation], spark: SparkSession) -> None:
    settings, curation = structs
    rows = table(spark, settings, "quarantine").collect()
    reasons = {row["conversation_id"]: list(row["reasons"]) for row in rows}
    assert reasons == {
        "clash": ["conversation_conflict"],
        "empty": ["messages_unreadable"],
        "stranger": ["author_unknown"],
        "null": ["messages_unreadable"],
        None: ["conversation_id_missing"],
    }
    assert curation.balance.loose_rows == 1


def plain(messages: list[dict[str, Any]]) -> str:
    given = [{key: value for key, value in message.items() if value is not None} for message in messages]
    return json.dumps([{"content": None} | message for message in given])


def sharegpt(n: int) -> str:
    turns = [{"from": "human", "value": f"What is {n} squared?"}, {"from": "gpt", "value": f"It is {n * n}."}]
    return json.dumps({"system": "Be exact.", "conversations": turns})


@pytest.fixture(scope="module")
def texts(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Curation]:
    """JSON text without an id column: OpenAI's form and ShareGPT's in one table, with tool definitions of their own."""
    folder = tmp_path_factory.mktemp("texts")
    tools = json.dumps([TOOL])
    rows: list[tuple[str | None, str | None]] = [(plain(chat(n)), None) for n in range(6)]
    rows += [(sharegpt(n), None) for n in range(6)] + [(plain(calling()), tools)]
    rows += [(plain(chat(80)), None)] * 2
    rows += [("not json", None), (None, None)]
    rows += [(plain(chat(81)), "not json"), (plain(chat(82)), '[{"name": "bad name"}]'), (plain(chat(83)), "[7]")]
    rows += [(plain(chat(84)), '[{"name": "look_up", "description": "\\ud83d"}]')]
    rows += [('[{"role": "user", "content": "hi \\ud83d"}, {"role": "assistant", "content": "ho"}]', None)]
    rows += [('[{"role": "user", "name": "\\udc00", "content": "hi"}, {"role": "assistant", "content": "ho"}]', None)]
    spark.createDataFrame(rows, "messages string, own_tools string").write.format("delta").save(str(folder / "raw"))
    settings = settings_for(folder, source={"layout": "conversations", "columns": {"tools": "own_tools"}})
    return settings, curate(spark, settings)


def test_texts_become_examples_under_the_hash_of_their_messages(
    texts: tuple[Settings, Curation], spark: SparkSession
) -> None:
    settings, curation = texts
    kept = {row["conversation_id"]: json.loads(row["line"]) for row in table(spark, settings, "examples").collect()}
    expected = [plain(messages) for messages in (*map(chat, range(6)), calling(), chat(80))]
    expected += map(sharegpt, range(6))
    assert kept.keys() == {hashlib.sha256(text.encode()).hexdigest() for text in expected}
    example = kept[hashlib.sha256(sharegpt(3).encode()).hexdigest()]
    assert example["messages"] == [
        {"role": "system", "content": "Be exact."},
        {"role": "user", "content": "What is 3 squared?"},
        {"role": "assistant", "content": "It is 9."},
    ]
    assert kept[hashlib.sha256(plain(calling()).encode()).hexdigest()]["tools"] == [TOOL]
    assert len(published_lines(Path(settings.output.folder))) == len(expected)
    assert curation.balance.rows_in == 23


def test_texts_that_cannot_be_read_are_set_aside(texts: tuple[Settings, Curation], spark: SparkSession) -> None:
    settings, curation = texts
    made = decisions(spark, settings)
    counts = {code: len(ids) for code, ids in made.items()}
    assert counts == {
        "conversation_repeated": 1,
        "messages_unreadable": 1,
        "tools_unreadable": 4,
        "text_invalid_unicode": 2,
    }
    assert curation.balance.loose_rows == 1
    loose = table(spark, settings, "quarantine").where(F.col("unit") == "row").first()
    assert loose is not None
    assert list(loose["reasons"]) == ["conversation_id_missing"]
