"""Text shared with evaluation data, against a plain search by words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from finelake.config.settings import Decontamination, EvaluationTable
from finelake.contamination.find import find_contamination
from finelake.contamination.sources import identity_of
from finelake.contamination.spans import contaminated
from finelake.errors import ConfigError, InputError

pytestmark = pytest.mark.spark

QUESTION = "why does the parcel that I sent to my aunt in Lisbon last Tuesday still show no scan at all"
ANSWER = "the carrier only scans a parcel when it leaves the country so nothing is wrong with it yet"
CANNED = "thank you for contacting us is there anything else that I can help you with today"

PLACED = "conversation_id string, split string, windows array<struct<line: string>>"


def as_it_is(frame: DataFrame) -> DataFrame:
    """Stand for writing a frame and reading it back."""
    return frame


def lines(*windows: list[tuple[str, str | None]]) -> list[tuple[str]]:
    """Build the windows of a conversation from (role, content) messages."""
    return [
        (json.dumps({"messages": [{"role": role, "content": content} for role, content in messages]}),)
        for messages in windows
    ]


def placed(spark: SparkSession) -> DataFrame:
    """Conversations with their splits: two that copy a question or an answer, and many that share a phrase."""
    own = [("user", "hello there"), ("assistant", f"Well: {ANSWER.upper()}!"), ("user", "ok")]
    rows: list[tuple[str, str, list[tuple[str]]]] = [
        ("asks", "train", lines([("system", QUESTION), ("user", f"hi. {QUESTION}"), ("assistant", "let me look")])),
        ("answers", "train", lines([("user", "a"), ("assistant", "b")], own)),
        ("tool", "train", lines([("user", "x"), ("assistant", None), ("tool", QUESTION), ("assistant", "done")])),
        ("short", "train", lines([("user", "My parcel did NOT arrive"), ("assistant", "one moment")])),
        ("held", "test", lines([("user", "my parcel did not arrive"), ("assistant", ANSWER)])),
        ("other", "validation", lines([("user", "nothing of the kind"), ("assistant", CANNED)])),
    ]
    rows += [(f"canned-{n}", "train", lines([("user", f"number {n}"), ("assistant", CANNED)])) for n in range(30)]
    return spark.createDataFrame(rows, PLACED)


def found(spark: SparkSession, **given: Any) -> list[Row]:
    """Give the spans of the conversations above, in order."""
    config = Decontamination(**given)
    identities = {table.name: identity_of(spark, table) for table in config.tables}
    table = find_contamination(placed(spark), config=config, identities=identities, save=as_it_is)
    assert table is not None
    return sorted(table.collect(), key=lambda row: tuple(str(item) for item in row))


@pytest.fixture(scope="module")
def evaluation(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[EvaluationTable, ...]:
    """A Delta table with a question and its answer in columns, and a file in chat form."""
    folder = tmp_path_factory.mktemp("evaluation")
    spark.createDataFrame([(1, QUESTION, None), (2, "unrelated", ANSWER)], "n int, q string, a string").write.format(
        "delta"
    ).save(str(folder / "bench"))
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "no idea"}]
    (folder / "chat.jsonl").write_text(
        "\ufeff" + json.dumps({"messages": messages}) + "\nno json\n", encoding="utf-8", newline="\n"
    )
    return (
        EvaluationTable(name="bench", table=str(folder / "bench"), id="n", prompt="q", answer="a"),
        EvaluationTable(name="chat", file=str(folder / "chat.jsonl"), messages="messages"),
    )


def test_pitfall_7_copied_answers_are_found_as_well_as_copied_prompts(
    spark: SparkSession, evaluation: tuple[EvaluationTable, ...]
) -> None:
    rows = [row for row in found(spark, tables=evaluation, own_splits="off") if row["conversation_id"]]
    spans = {
        (row["conversation_id"], row["window"], row["message"], row["role"], row["source"], row["side"]): row
        for row in rows
    }
    assert spans.keys() == {
        ("asks", 0, 1, "prompt", "bench", "prompt"),
        ("asks", 0, 1, "prompt", "chat", "prompt"),
        ("answers", 1, 1, "answer", "bench", "answer"),
    }
    words = len(QUESTION.split())
    asked = spans["asks", 0, 1, "prompt", "bench", "prompt"]
    assert (asked["row_id"], asked["start"], asked["end"]) == ("1", 1, 1 + words)
    assert (asked["ngrams"], asked["n"]) == (words - 12, 13)
    answered = spans["answers", 1, 1, "answer", "bench", "answer"]
    assert (answered["row_id"], answered["start"], answered["end"]) == ("2", 1, 1 + len(ANSWER.split()))


def test_own_splits_are_compared_and_a_common_phrase_is_only_counted(spark: SparkSession) -> None:
    rows = found(spark)
    spans = {(row["conversation_id"], row["source"], row["row_id"], row["side"]) for row in rows if row["row_id"]}
    assert spans == {("answers", "test", "held", "answer"), ("short", "test", "held", "prompt")}
    common = [row for row in rows if row["conversation_id"] is None]
    assert [(row["source"], row["side"], row["ngrams"]) for row in common] == [
        ("validation", "answer", len(CANNED.split()) - 12)
    ]
    everything = found(spark, max_documents=30)
    assert sum(row["source"] == "validation" for row in everything) == 30


def test_what_is_rejected_says_why(spark: SparkSession, evaluation: tuple[EvaluationTable, ...]) -> None:
    config = Decontamination(tables=evaluation, own_splits="reject")
    identities = {table.name: identity_of(spark, table) for table in evaluation}
    table = find_contamination(placed(spark), config=config, identities=identities, save=as_it_is)
    assert table is not None
    removed = {row["conversation_id"]: row for row in contaminated(table, config=config).collect()}
    assert {name: row["reason"] for name, row in removed.items()} == {
        "asks": "contaminated",
        "answers": "contaminated",
        "short": "contaminated_split",
    }
    assert removed["short"]["value"] == "test prompt of held: words 0 to 5 of message 0"
    assert removed["short"]["threshold"] == "13"
    kept = contaminated(table, config=Decontamination(tables=evaluation, policy="report"))
    assert kept.count() == 0


def test_wrong_tables_are_named(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_text('{"q": "a"}\n', encoding="utf-8", newline="\n")
    with pytest.raises(InputError, match="there is no file"):
        identity_of(spark, EvaluationTable(name="gone", file=str(tmp_path / "gone.jsonl"), prompt="q"))
    spark.range(1).write.format("delta").save(str(tmp_path / "numbers"))
    table = EvaluationTable(name="numbers", table=str(tmp_path / "numbers"), prompt="q")
    config = Decontamination(tables=(table,), own_splits="off")
    with pytest.raises(ConfigError, match="no column 'q'; found are id"):
        find_contamination(
            placed(spark), config=config, identities={"numbers": identity_of(spark, table)}, save=as_it_is
        )


def test_nothing_to_compare(spark: SparkSession) -> None:
    assert (
        find_contamination(placed(spark), config=Decontamination(own_splits="off"), identities={}, save=as_it_is)
        is None
    )
