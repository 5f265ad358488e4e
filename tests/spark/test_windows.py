"""Long conversations in the tables: several examples, one conversation, and a ledger that says so."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.curate import Curation, curate
from finelake.publish import read_manifest
from finelake.why import tell
from support.lake import decisions, outcomes, published_lines, save_turns, settings_for, table, talk, turn
from support.quiet import NO_REPLY_RULES

pytestmark = pytest.mark.spark

LIMIT = 200
SHORT = 9


@dataclass(frozen=True)
class Long:
    settings: Settings
    curation: Curation


@pytest.fixture(scope="module")
def long(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Long:
    folder = tmp_path_factory.mktemp("long")
    rows = [turn for n in range(SHORT) for turn in talk(f"short-{n}", f"Question {n}?", f"Answer {n}.", user=f"u{n}")]
    texts = [f"{'say' if n % 2 else 'ask'} {n} " + "word " * 15 for n in range(16)]
    rows += [turn("prompted", 0, "system", "Be kind.")]
    rows += [turn("prompted", n, *said) for n, said in enumerate([("customer", "Why?"), ("agent", "So.")], start=1)]
    rows += talk("long", *texts, user="u-long") + talk("huge", "word " * 200, "Yes.", user="u-huge")
    save_turns(spark, rows, folder / "raw")
    settings = settings_for(folder, tokens={"max_per_example": LIMIT}, replies=NO_REPLY_RULES)
    return Long(settings, curate(spark, settings))


def test_each_reply_of_a_long_conversation_is_trained_in_one_of_its_examples(long: Long, spark: SparkSession) -> None:
    rows = table(spark, long.settings, "examples").where("conversation_id = 'long'").orderBy("window").collect()
    assert [row["window"] for row in rows] == list(range(len(rows)))
    assert {row["windows"] for row in rows} == {len(rows)}
    assert len(rows) > 2
    assert len({row["split"] for row in rows}) == 1
    assert all(row["tokens"] <= LIMIT for row in rows)
    messages = [message for row in rows for message in json.loads(row["line"])["messages"]]
    learnt = [item["content"] for item in messages if item["role"] == "assistant" and item.get("weight", 1)]
    assert sorted(int(text.split(" ")[1]) for text in learnt) == list(range(1, 16, 2))
    assert any(message.get("weight") == 0 for message in messages)


def test_the_balance_counts_conversations_once_and_examples_each(long: Long, spark: SparkSession) -> None:
    balance = long.curation.balance
    examples = table(spark, long.settings, "examples").count()
    assert (balance.conversations_kept, balance.conversations_quarantined) == (SHORT + 2, 1)
    assert balance.examples == examples == len(published_lines(Path(long.settings.output.folder)))
    assert examples > SHORT + 2
    assert balance.turns_kept == balance.rows_kept == 2 * SHORT + 3 + 16
    assert decisions(spark, long.settings) == {"conversation_windowed": {"long"}, "turn_too_long": {"huge"}}
    assert outcomes(spark, long.settings)["long"]["rows"] == 16


def test_the_manifest_says_what_each_policy_would_keep(long: Long) -> None:
    manifest = read_manifest(Path(long.settings.output.folder))
    assert manifest is not None
    found = manifest["windows"]
    assert (found["limit"], found["policy"], found["long_conversations"], found["not_cut"]) == (LIMIT, "window", 2, 1)
    policies = found["policies"]
    assert [policies[name]["replies_lost"] for name in ("window", "keep_last", "drop")] == [1, 5, 9]
    assert policies["window"]["tokens"] > policies["keep_last"]["tokens"] > policies["drop"]["tokens"] == 0


def test_the_manifest_counts_system_prompts(long: Long) -> None:
    manifest = read_manifest(Path(long.settings.output.folder))
    assert manifest is not None
    found = manifest["system_prompts"]
    key = hashlib.sha256(b"Be kind.").hexdigest()[:16]
    assert found == {
        "distinct": 1,
        "without": long.curation.balance.examples - 1,
        "most": [{"key": key, "examples": 1}],
    }


def test_why_tells_of_all_the_examples(long: Long, spark: SparkSession) -> None:
    told = tell(spark, long.settings, "long")
    assert (told.outcome, told.chapters[0].reason) == ("keep", "conversation_windowed")
    assert told.chapters[0].value == str(told.examples)
    rows = table(spark, long.settings, "examples").where("conversation_id = 'long'").collect()
    assert told.tokens == sum(row["tokens"] for row in rows)
