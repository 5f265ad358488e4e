"""Rules about replies on Spark: conditions as Columns, canned replies, origins, and a curation in which they count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.replies import Canned, Origins, Replies
from finelake.conversations.mapping import map_rows
from finelake.curate import curate
from finelake.replies.canned import canned_replies
from finelake.replies.columns import finding_column
from finelake.replies.conditions import Texts, plain_text, signature, signature_column
from finelake.replies.judge import turn_conditions
from finelake.replies.plan import ReplyPlan
from support.lake import decisions, outcomes, settings_for, table
from support.reply_scores import cases

pytestmark = pytest.mark.spark

ODD = [
    "",
    " ",
    "\u0130STANBUL \u212a",
    "a\u2028b,",
    "\U0001f600" * 25,
    "x" * 70_000,
    "`" * 7,
    "<" * 500,
    "\ufeff...",
    "ß" * 30,
]
PLAN = ReplyPlan(rules=Replies(), origins=Origins(), canned=frozenset({signature("you re welcome")}))


def test_a_condition_holds_for_the_same_texts_as_a_column_and_as_a_function(spark: SparkSession) -> None:
    rules = Replies.model_validate({"canned": {"min_characters": 5}, "unfinished": {"ellipsis": True}})
    conditions = turn_conditions(ReplyPlan(rules=rules, origins=Origins(), canned=PLAN.canned))
    texts = [*(case.reply for case in cases()), *ODD]
    frame = spark.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, text string")
    columns = finding_column(F.col("text"), conditions=conditions)
    rows = frame.select("n", columns.alias("found"), signature_column(Texts.of(F.col("text"))).alias("signature"))
    found = {row["n"]: row for row in rows.collect()}
    checks = {name: condition.check() for name, condition in conditions.items()}
    for n, text in enumerate(texts):
        expected = [name for name, check in checks.items() if check(text, plain_text(text))]
        assert found[n]["found"].split(",") == (expected or [""]), text[:80]
        assert found[n]["signature"] == signature(plain_text(text)), text[:80]
    assert {name for row in found.values() for name in row["found"].split(",")} >= set(conditions)


def test_a_missing_text_fulfils_no_condition(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(None,)], "text string")
    row = frame.select(finding_column(F.col("text"), conditions=turn_conditions(PLAN)).alias("found")).first()
    assert row is not None
    assert row["found"] == ""


def stored(spark: SparkSession, folder: Path) -> Any:
    replies = ["Hello, this is Anna!", "hello - this is anna 24", "The gate opens at six.", "Hello, this is Anna."]
    chats = [
        json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": replies[0]}]),
        json.dumps({"messages": [{"role": "assistant", "content": [{"type": "text", "text": replies[1]}]}]}),
        json.dumps(
            {
                "conversations": [
                    {"from": "human", "value": "Hello, this is Anna!"},
                    {"from": "gpt", "value": replies[2]},
                ]
            }
        ),
        json.dumps([{"from": "gpt", "value": replies[3]}]),
        "no JSON",
        None,
    ]
    settings = settings_for(folder, source={"layout": "conversations"})
    raw = spark.createDataFrame(
        [(str(n), chat) for n, chat in enumerate(chats)], "conversation_id string, messages string"
    )
    return map_rows(raw, settings.source)


def test_canned_replies_are_counted_in_both_layouts(spark: SparkSession, tmp_path: Path) -> None:
    config = Canned(min_count=3, min_share=0.0, min_characters=10)
    expected = frozenset({signature("hello this is anna")})
    chats = stored(spark, tmp_path)
    assert canned_replies(chats, rows=6, layout="conversations", config=config) == expected
    texts = ["Hello, this is Anna!", "HELLO, this is Anna", "hello this is anna 7", "Bye", "Bye", "Bye"]
    raw = spark.createDataFrame(
        [("c", n, "agent", text) for n, text in enumerate(texts)] + [("c", 9, "customer", texts[0])],
        "conversation_id string, turn_index int, author string, text string",
    )
    source = settings_for(tmp_path).source.model_copy(
        update={
            "columns": settings_for(tmp_path).source.columns.model_copy(
                update={"sent_at": None, "tool_calls": None, "tool_call_id": None, "user_id": None}
            )
        }
    )
    turns = map_rows(raw, source)
    assert canned_replies(turns, rows=7, layout="turns", config=config) == expected
    assert (
        canned_replies(turns, rows=7, layout="turns", config=config.model_copy(update={"min_count": 4})) == frozenset()
    )
    assert (
        canned_replies(turns, rows=7, layout="turns", config=config.model_copy(update={"action": "off"})) == frozenset()
    )


def test_the_cap_keeps_the_most_frequent_and_is_logged(
    spark: SparkSession, tmp_path: Path, log_lines: list[str]
) -> None:
    chats = [json.dumps([{"role": "assistant", "content": text}]) for text in ("one is one",) * 3 + ("two is two",) * 2]
    raw = spark.createDataFrame(
        [(str(n), chat) for n, chat in enumerate(chats)], "conversation_id string, messages string"
    )
    mapped = map_rows(raw, settings_for(tmp_path, source={"layout": "conversations"}).source)
    config = Canned(min_count=2, min_share=0.0, min_characters=5, max_kept=1)
    assert canned_replies(mapped, rows=5, layout="conversations", config=config) == {signature("one is one")}
    assert any("max_kept=1" in line for line in log_lines)


COLUMNS = (
    "conversation_id string, turn_index int, author string, text string, agent string, written_by string, queue string"
)
ORIGINS = {
    "rules": [
        {"origin": "template", "text": "^Thank you for"},
        {"origin": "bot", "author": "(?i)bot", "metadata": {"queue": "^night"}},
        {"origin": "desk", "agent_id": "^a[0-9]"},
    ],
    "policy": {"bot": "reject", "template": "weight_0"},
    "human": ["desk", "human"],
}


def test_a_curation_counts_origins_weights_and_reasons(spark: SparkSession, tmp_path: Path) -> None:
    asked, told = "Where can I leave the bike tonight?", "At the station behind the town hall."
    rows = [
        ("human", 0, "customer", asked, None, None, None),
        ("human", 1, "agent", told, "a1", None, None),
        ("human", 2, "customer", "And tomorrow?", None, None, None),
        ("human", 3, "agent", "Thank you for asking, it is open.", "a1", None, None),
        ("given", 0, "customer", asked, None, None, "night"),
        ("given", 1, "chat bot", "Anywhere in the green zone, please.", "a1", "human", "night"),
        ("rejected", 0, "customer", asked, None, None, "night 2"),
        ("rejected", 1, "chat bot", told, "b", None, "night 2"),
        ("untrained", 0, "customer", asked, None, None, None),
        ("untrained", 1, "agent", "As an AI, I have no bike to leave.", "x", None, None),
    ]
    rows += [
        row
        for n in range(10)
        for row in (
            (f"more {n}", 0, "customer", f"{asked} I mean number {n}.", None, None, None),
            (f"more {n}", 1, "agent", f"Number {n} goes to the north station.", None, " ", None),
        )
    ]
    spark.createDataFrame(rows, COLUMNS).write.format("delta").save(str(tmp_path / "raw"))
    columns = {"turn_index": "turn_index", "agent_id": "agent", "origin": "written_by", "metadata": ["queue"]}
    roles = {"customer": "user", "agent": "assistant", "chat bot": "assistant"}
    settings = settings_for(tmp_path, source={"columns": columns, "roles": roles}, origins=ORIGINS)
    curation = curate(spark, settings)
    found = {name: (row["action"], row["reason"]) for name, row in outcomes(spark, settings).items()}
    assert found["rejected"] == ("quarantine", "reply_origin")
    assert found["untrained"] == ("quarantine", "replies_untrained")
    examples = {row["conversation_id"]: row for row in table(spark, settings, "examples").collect()}
    assert examples.keys() == {"human", "given", *(f"more {n}" for n in range(10))}
    assert list(examples["human"]["origins"]) == ["desk", "template"]
    assert [message.get("weight") for message in json.loads(examples["human"]["line"])["messages"]] == [
        None,
        1,
        None,
        0,
    ]
    for name in ("human", "given"):
        assert examples[name]["human_tokens"] == examples[name]["trained_tokens"] > 0
    assert {examples[f"more {n}"]["human_tokens"] for n in range(10)} == {0}
    assert curation.rules["reply_as_an_ai"]["action"] == "untrain"
    assert decisions(spark, settings)["reply_origin"] == {"human", "rejected"}
    assert curation.balance.rows_in == len(rows)
