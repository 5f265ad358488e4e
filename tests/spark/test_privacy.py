"""Privacy through a whole curation: what is published, counted, kept aside and logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Settings
from finelake.curate import curate
from support.lake import decisions, outcomes, published_lines, save_turns, settings_for, table, talk, turn

pytestmark = pytest.mark.spark

EMAIL, CARD, SECOND = "grace.hartley@example.com", "4111 1111 1111 1111", "joan.pryce@example.com"
KEY = "0123456789abcdef-kept-in-the-environment"
VALUES = (EMAIL, CARD, SECOND, CARD.replace(" ", ""), KEY)
ENOUGH = 10


@pytest.fixture(scope="module")
def curated(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, log_lines: list[str]
) -> tuple[Settings, list[str]]:
    """A small lake: a talk with a call, one with a card, one that is broken, two that differ in a value alone."""
    folder = tmp_path_factory.mktemp("privacy")
    call = [
        {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": json.dumps({"email": EMAIL})}}
    ]
    rows = [
        turn("called", 0, "customer", f"I am {EMAIL}, order 4155552671."),
        turn("called", 1, "agent", None, calls=json.dumps(call)),
        turn("called", 2, "tool", json.dumps({"email": EMAIL.upper()}), call_id="c1"),
        turn("called", 3, "agent", f"Found you, {EMAIL}."),
        *talk("card", f"My card is {CARD}.", "Please never send it."),
        turn("gap", 0, "customer", f"Write to {EMAIL}."),
        turn("gap", 5, "agent", f"To {SECOND}?"),
        *talk("same-1", f"I am {EMAIL}.", "Welcome."),
        *talk("same-2", f"I am {SECOND}.", "Welcome."),
        *(
            row
            for n in range(ENOUGH)
            for row in talk(f"plain-{n}", f"What does number {n} cost?", f"It costs {n} euros.")
        ),
    ]
    save_turns(spark, rows, folder / "raw")
    privacy: dict[str, Any] = {"card": "reject", "key": {"env": "FINELAKE_TEST_PRIVACY_KEY"}}
    chosen = settings_for(folder, privacy=privacy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINELAKE_TEST_PRIVACY_KEY", KEY)
        curate(spark, chosen)
    return chosen, list(log_lines)


def test_what_is_published_holds_pseudonyms_that_agree(curated: tuple[Settings, list[str]]) -> None:
    lines = published_lines(Path(curated[0].output.folder))
    assert not any(value.lower() in line.lower() for line in lines for value in VALUES)
    (called,) = [json.loads(line)["messages"] for line in lines if "look_up" in line]
    assert called[0]["content"] == "I am [EMAIL_1], order 4155552671."
    assert called[1]["tool_calls"][0]["function"]["arguments"] == '{"email": "[EMAIL_1]"}'
    assert called[2]["content"] == '{"email": "[EMAIL_1]"}'
    assert called[3]["content"] == "Found you, [EMAIL_1]."


def test_no_table_that_is_written_holds_a_value(curated: tuple[Settings, list[str]], spark: SparkSession) -> None:
    for name in ("annotated", "examples", "quarantine", "ledger"):
        texts = [str(row.asDict(recursive=True)).lower() for row in table(spark, curated[0], name).collect()]
        assert texts
        assert [value for value in VALUES if any(value.lower() in text for text in texts)] == [], name


def test_a_conversation_set_aside_keeps_its_turns_without_values(
    curated: tuple[Settings, list[str]], spark: SparkSession
) -> None:
    rows = {row["conversation_id"]: row for row in table(spark, curated[0], "quarantine").collect()}
    assert {key: list(row["reasons"]) for key, row in rows.items()} == {"card": ["privacy_card"], "gap": ["turn_gap"]}
    assert [item["x"] for item in json.loads(rows["card"]["payload"])] == [
        "My card is [CARD_1].",
        "Please never send it.",
    ]
    assert [item["x"] for item in json.loads(rows["gap"]["payload"])] == ["Write to [EMAIL_1].", "To [EMAIL_2]?"]


def test_receipts_tell_where_and_agree_across_the_table(
    curated: tuple[Settings, list[str]], spark: SparkSession
) -> None:
    made = table(spark, curated[0], "ledger").where(F.col("reason") == "privacy_email").collect()
    receipts = {row["conversation_id"]: row["value"] for row in made}
    assert receipts.keys() == {"called", "same-1", "same-2"}
    places = [receipt.split(":")[0] for receipt in receipts["called"].split(",")]
    assert places == ["0", "1", "2", "3"]
    hashes = {key: {receipt.split(":")[1] for receipt in value.split(",")} for key, value in receipts.items()}
    assert hashes["called"] == hashes["same-1"] != hashes["same-2"]
    assert all(len(digest) == 16 for found in hashes.values() for digest in found)


def test_the_redacted_text_is_what_is_compared(curated: tuple[Settings, list[str]], spark: SparkSession) -> None:
    found = outcomes(spark, curated[0])
    assert (found["same-2"]["action"], found["same-2"]["kept_id"]) == ("merge", "same-1")
    assert found["card"]["action"] == "quarantine"
    assert decisions(spark, curated[0])["privacy_card"] == {"card"}


def test_no_log_line_holds_a_value_or_the_key(curated: tuple[Settings, list[str]]) -> None:
    assert curated[1]
    assert [value for value in VALUES if any(value in line for line in curated[1])] == []
