"""The profile of a raw table: its numbers against a count by hand, the lines it proposes, and that it only looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from finelake.cli.profile_view import profile_view
from finelake.config.settings import Settings
from finelake.errors import ConfigError, InputError
from finelake.profile.lines import LINES
from finelake.profile.profile import Profile, profile
from finelake.replies.catalogue import REPLY_RULES
from support.lake import save_turns, settings_for, table, talk

pytestmark = pytest.mark.spark

DIGITS = "Your numbers: 12345 67890 12345 67890 12345 67890 12345."
CANNED = "Thank you for calling our desk, have a good day."
COUNT = 40


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("profile")
    rows = [
        turn for n in range(COUNT) for turn in talk(f"c-{n:02d}", f"Question {n}?", f"The answer is {n} " * (n + 1))
    ]
    rows += talk("digits", "What are my numbers?", DIGITS) + talk("empty", "Nobody answers?")
    for n in range(3):
        rows += talk(f"canned-{n}", "Goodbye then.", CANNED)
    rows += talk("as-an-ai", "Mail a@example.com?", "As an AI language model, I cannot mail a@example.com.")
    save_turns(spark, rows, folder / "raw")
    return settings_for(folder)


@pytest.fixture(scope="module")
def found(spark: SparkSession, lake: Settings) -> Profile:
    return profile(spark, lake, tail=0.1, beside=2)


def test_distributions_are_those_of_the_texts(found: Profile) -> None:
    assert found.conversations == COUNT + 5
    (answers,) = [item for item in found.distributions if (item.role, item.measure) == ("assistant", "characters")]
    lengths = [len(f"The answer is {n} " * (n + 1)) for n in range(COUNT)]
    assert answers.count == COUNT + 5
    assert answers.quantiles["1"] == max(lengths)
    assert answers.quantiles["0"] == min(lengths)
    assert {(item.role, item.measure) for item in found.distributions} >= {
        *(
            (role, measure)
            for role in ("user", "assistant")
            for measure in ("characters", "words", "symbols", "digits")
        ),
        ("assistant", "repetition"),
        ("assistant", "canned"),
        ("conversation", "length_ratio"),
        ("conversation", "turn_count"),
    }


def test_every_setting_with_a_line_gets_a_proposal_and_rows_on_both_sides(found: Profile) -> None:
    assert {line.setting for line in found.lines} == {line.setting for line in LINES}
    (digits,) = [line for line in found.lines if line.setting == "replies.digits.max_share"]
    assert digits.share_beyond == pytest.approx(1 / (COUNT + 5))
    assert digits.beyond
    assert digits.within
    assert all(row.value > digits.proposed for row in digits.beyond)
    assert all(row.value <= digits.proposed for row in digits.within)
    assert [row.value for row in digits.within] == sorted((row.value for row in digits.within), reverse=True)
    (canned,) = [line for line in found.lines if line.setting == "replies.canned.min_count"]
    assert {row.conversation_id for row in canned.beyond} <= {f"canned-{n}" for n in range(3)}


def test_rules_are_counted_also_where_they_are_off(spark: SparkSession, lake: Settings, found: Profile) -> None:
    (rate,) = [rate for rate in found.rates if rate.rule == "as_an_ai"]
    assert (rate.role, rate.found, rate.of) == ("assistant", 1, COUNT + 5)
    assert [(row.conversation_id, row.turn) for row in rate.rows] == [("as-an-ai", 1)]
    off = lake.model_copy(update={"replies": lake.replies.model_validate({"as_an_ai": {"action": "off"}})})
    again = profile(spark, off, tail=0.1, beside=2)
    assert [(item.found, item.action) for item in again.rates if item.rule == "as_an_ai"] == [(1, "off")]
    assert {rate.rule for rate in found.rates} <= set(REPLY_RULES)


def test_texts_are_shown_on_request_only_and_without_personal_data(
    spark: SparkSession, lake: Settings, found: Profile
) -> None:
    for with_text in (False, True):
        console = Console(width=200, record=True)
        console.print(profile_view(found, with_text=with_text))
        shown = console.export_text()
        assert ("language model" in shown) == with_text
        assert "a@example.com" not in shown
    texts = [row["text"] for row in table(spark, lake, "profile").collect()]
    assert any("[EMAIL_1]" in text for text in texts)
    assert not any("a@example.com" in text for text in texts)


def test_a_sample_is_the_same_conversations_each_time(spark: SparkSession, lake: Settings) -> None:
    small = profile(spark, lake, conversations=7)
    ids = {row["conversation_id"] for row in table(spark, lake, "profile").select("conversation_id").collect()}
    assert small.conversations == len(ids) <= 7
    profile(spark, lake, conversations=14)
    assert ids <= {row["conversation_id"] for row in table(spark, lake, "profile").select("conversation_id").collect()}


def test_what_cannot_be_measured_is_said(spark: SparkSession, lake: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tail=0\.7"):
        profile(spark, lake, tail=0.7)
    save_turns(spark, talk("alone", "Nobody answers?"), tmp_path / "raw")
    with pytest.raises(InputError, match="can be measured"):
        profile(spark, settings_for(tmp_path))
