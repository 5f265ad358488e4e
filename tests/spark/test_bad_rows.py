"""One table with every kind of bad row: each ends in quarantine with its reason, none is lost, none is told aloud."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.curate import Curation, curate
from finelake.tables.names import TableRef
from finelake.tables.writing import append_once
from support.lake import (
    TURN_COLUMNS,
    TurnTuple,
    decisions,
    outcomes,
    published_lines,
    save_turns,
    settings_for,
    table,
    talk,
    turn,
)

pytestmark = pytest.mark.spark

MARKER = "quagga-9471"
MAX_TURNS = 400
FINE = [f"fine-{n:02d}" for n in range(14)]
NULL_TEXT_USER = "null-text"

# Conversation id, and the codes that its quarantine must name.
QUARANTINED = {
    "bytes-in-text": {"text_invalid_unicode"},
    "bytes-in-call": {"text_invalid_unicode", "tool_arguments_invalid"},
    "bytes-in-call-id": {"text_invalid_unicode", "tool_result_without_call", "tool_call_without_result"},
    "surrogate-in-call": {"text_invalid_unicode"},
    "nul": {"text_control_characters"},
    "escape": {"text_control_characters"},
    "two-megabytes": {"turn_too_long"},
    "five-thousand-turns": {"too_many_turns"},
    "five-hundred-turns": {"too_many_turns"},
    "same-index": {"turn_order_ambiguous"},
    "no-index": {"turn_index_missing"},
    "special-token": {"text_special_token"},
    "call-not-json": {"tool_arguments_invalid"},
    "stranger": {"author_unknown"},
    "nobody": {"author_unknown"},
    "no-text-at-all": {"user_missing", "assistant_missing"},
    "forbidden-word": {"check_last_user_no_forbidden_word"},
    "long-question": {"check_tokens_user_limit"},
}
LOOSE_ROWS = 4

SCHEMA = """
import pandera.pandas as pa

def no_forbidden_word(texts):
    with open({seen!r}, "a", encoding="utf-8") as file:
        file.writelines(text.split(" ")[0] + "\\n" for text in texts)
    return ~texts.str.contains("xylophone")

schema = pa.DataFrameSchema(
    {{
        "last_user": pa.Column(str, pa.Check(no_forbidden_word, name="no_forbidden_word")),
        "tokens": pa.Column(int, pa.Check.le(4000, name="user_limit")),
    }}
)
"""


def called(arguments: str) -> str:
    return json.dumps([{"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}])


def with_call(conversation_id: str, calls: str, call_id: str = "call_1") -> list[TurnTuple]:
    return [
        turn(conversation_id, 0, "customer", f"{conversation_id} {MARKER}: please look"),
        turn(conversation_id, 1, "agent", None, calls=calls),
        turn(conversation_id, 2, "tool", "{}", call_id=call_id),
        turn(conversation_id, 3, "agent", "Found it."),
    ]


def asked(conversation_id: str, question: str) -> list[TurnTuple]:
    return talk(conversation_id, f"{conversation_id} {MARKER} {question}", f"{MARKER}: an answer to {conversation_id}")


def raw_rows() -> list[TurnTuple]:
    rows = [row for name in FINE for row in asked(name, "works?")]
    rows += with_call("fine-call", called('{"a": 1}'))
    rows += asked("bytes-in-text", "BROKEN")
    rows += with_call("bytes-in-call", '[{"id": "call_1", "name": "look_up", "arguments": "BROKEN"}]')
    rows += with_call("bytes-in-call-id", called("{}"), call_id="BROKEN")
    rows += with_call("surrogate-in-call", '[{"id": "call_1", "name": "look_up", "arguments": {"a": "\\ud83d"}}]')
    rows += asked("nul", "a\x00b") + asked("escape", "\x1b[31mred")
    rows += asked("two-megabytes", "word " * 400_000)
    rows += talk("five-thousand-turns", *(f"{MARKER} {n}" for n in range(5_000)))
    rows += talk("five-hundred-turns", *(f"{MARKER} {n}" for n in range(500)))
    rows += [*asked("same-index", "one"), turn("same-index", 1, "agent", f"{MARKER}: another answer")]
    rows += [*asked("no-index", "one"), turn("no-index", None, "customer", MARKER)]
    rows += asked("special-token", "<|endoftext|>")
    rows += with_call("call-not-json", called("{not json"))
    rows += [*asked("stranger", "one"), turn("stranger", 2, "robot", MARKER)]
    rows += [*asked("nobody", "one"), turn("nobody", 2, None, MARKER)]
    rows += talk("no-text-at-all", None, None, "", " ")
    rows += asked("forbidden-word", "xylophone")
    rows += asked("long-question", "word " * 5_000)
    rows += [turn(NULL_TEXT_USER, 0, "customer", f"{NULL_TEXT_USER} one"), turn(NULL_TEXT_USER, 1, "customer", None)]
    rows += [turn(NULL_TEXT_USER, 2, "agent", "A reply after a turn without text.")]
    rows += [turn(None, 0, "customer", MARKER), turn("  ", 0, "customer", MARKER), turn("", None, None, None)]
    rows += [(None,) * 8]
    return rows


@dataclass(frozen=True, kw_only=True)
class Spoiled:
    settings: Settings
    curation: Curation
    rows: int
    seen: Path
    logged: list[str]


@pytest.fixture(scope="module")
def spoiled(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, user_modules: Path, log_lines: list[str]
) -> Spoiled:
    folder = tmp_path_factory.mktemp("spoiled")
    seen = folder / "seen.txt"
    (user_modules / "house_rules.py").write_text(SCHEMA.format(seen=str(seen)), encoding="utf-8")
    rows = raw_rows()
    good = [row for row in rows if not any(isinstance(value, str) and "BROKEN" in value for value in row)]
    broken = [row for row in rows if row not in good]
    save_turns(spark, good, folder / "raw")
    frame = spark.createDataFrame(broken, TURN_COLUMNS)
    for name in ("text", "tool_calls", "tool_call_id"):
        parts = F.split(F.col(name).cast("binary").cast("string"), "BROKEN")
        bad = F.concat(parts[0].cast("binary"), F.unhex(F.lit("80FFC0")), parts[1].cast("binary")).cast("string")
        frame = frame.withColumn(name, F.when(F.col(name).contains("BROKEN"), bad).otherwise(F.col(name)))
    append_once(frame, TableRef(str(folder / "raw")), key="broken")
    settings = settings_for(
        folder,
        conversations={"max_turns": MAX_TURNS},
        checks={"row_schemas": ["house_rules:schema"]},
    )
    return Spoiled(settings=settings, curation=curate(spark, settings), rows=len(rows), seen=seen, logged=log_lines)


def test_every_bad_conversation_is_set_aside_with_its_reasons(spoiled: Spoiled, spark: SparkSession) -> None:
    rows = table(spark, spoiled.settings, "quarantine").where("unit = 'conversation'").collect()
    assert {row["conversation_id"]: set(row["reasons"]) for row in rows} == QUARANTINED


def test_the_good_ones_are_kept(spoiled: Spoiled, spark: SparkSession) -> None:
    kept = {i for i, row in outcomes(spark, spoiled.settings).items() if row["action"] == "keep"}
    assert kept == {*FINE, "fine-call", NULL_TEXT_USER}
    assert decisions(spark, spoiled.settings)["turn_empty"] == {NULL_TEXT_USER, "no-text-at-all"}
    lines = published_lines(Path(spoiled.settings.output.folder))
    assert len(lines) == len(kept)
    assert not any(f"{name} {MARKER}" in line for name in QUARANTINED for line in lines)


def test_no_row_is_lost(spoiled: Spoiled, spark: SparkSession) -> None:
    balance = spoiled.curation.balance
    assert balance.rows_in == spoiled.rows
    assert balance.rows_kept + balance.rows_quarantined == spoiled.rows
    assert balance.loose_rows == LOOSE_ROWS
    aside = table(spark, spoiled.settings, "quarantine")
    assert aside.agg(F.sum("rows_in")).first() == (balance.rows_quarantined,)
    loose = aside.where("unit = 'row'").collect()
    assert [list(row["reasons"]) for row in loose] == [["conversation_id_missing"]] * LOOSE_ROWS
    assert Counter(MARKER in row["payload"] for row in loose) == {True: 2, False: 2}


def test_a_giant_conversation_is_counted_but_not_carried(spoiled: Spoiled, spark: SparkSession) -> None:
    aside = table(spark, spoiled.settings, "quarantine").where("array_contains(reasons, 'too_many_turns')").collect()
    by_id = {row["conversation_id"]: row for row in aside}
    assert by_id["five-thousand-turns"]["rows_in"] == 5_000
    assert by_id["five-thousand-turns"]["payload"] is None
    assert len(json.loads(by_id["five-hundred-turns"]["payload"])) == 500
    for row in aside:
        (error,) = row["_errors"]
        assert (error["user_metadata"]["value"], error["user_metadata"]["threshold"]) == (str(row["rows_in"]), "400")


def test_the_users_check_gives_number_and_threshold(spoiled: Spoiled, spark: SparkSession) -> None:
    row = table(spark, spoiled.settings, "ledger").where("reason = 'check_tokens_user_limit'").where("step = 'checks'")
    found = row.first()
    assert found is not None
    assert int(found["value"]) > 4_000
    assert found["threshold"] == "4000"


def test_each_conversation_was_checked_once(spoiled: Spoiled) -> None:
    repaired = {*FINE, "fine-call", NULL_TEXT_USER, "forbidden-word", "long-question"}
    assert Counter(spoiled.seen.read_text(encoding="utf-8").split("\n")[:-1]) == dict.fromkeys(repaired, 1)


def test_no_text_of_a_conversation_is_logged(spoiled: Spoiled) -> None:
    assert any("step=annotate" in line for line in spoiled.logged)
    assert not any(MARKER in line for line in spoiled.logged)
