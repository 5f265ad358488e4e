"""The story of one conversation: what came in, what each step did, and what became of it."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from finelake.errors import InputError
from finelake.rules.catalogue import all_rules
from finelake.sample.defect import OUTCOMES
from finelake.why import Story, tell, tell_loose
from support.lake import Demo, decisions, outcomes

pytestmark = pytest.mark.spark

# Rows without a conversation have no id to ask for; they stand in the quarantine.
LOOSE = {"conversation_id_missing", "row_not_json"}


def test_rows_without_a_conversation_are_told_by_reason(demo: Demo, spark: SparkSession) -> None:
    told = {each.reason: each for each in tell_loose(spark, demo.settings)}
    planted = {defect: sum(row["rows"] for row in demo.truth if row["defect"] == defect) for defect in LOOSE}
    assert {reason: each.rows for reason, each in told.items()} == planted
    assert all(each.meaning and each.where.endswith("quarantine") for each in told.values())


def first(demo: Demo, defect: str) -> dict[str, object]:
    return next(row for row in demo.truth if row["defect"] == defect)


def story(spark: SparkSession, demo: Demo, defect: str) -> Story:
    return tell(spark, demo.settings, str(first(demo, defect)["conversation_id"]))


@pytest.mark.parametrize("defect", ["turn_empty", "turn_merged", "turn_duplicate"])
def test_a_mended_conversation_tells_what_was_done(demo: Demo, spark: SparkSession, defect: str) -> None:
    told = story(spark, demo, defect)
    assert told.outcome == "keep"
    assert told.reason == f"assigned_{told.split}"
    assert told.tokens is not None
    assert [chapter.reason for chapter in told.chapters] == [defect, told.reason]
    assert told.chapters[0].meaning
    assert told.chapters[0].turns
    assert told.where.endswith("examples")


def test_a_quarantined_conversation_tells_rule_value_and_threshold(demo: Demo, spark: SparkSession) -> None:
    told = story(spark, demo, "turn_too_long")
    assert (told.outcome, told.reason, told.split, told.tokens) == ("quarantine", "turn_too_long", None, None)
    chapter = next(each for each in told.chapters if each.reason == told.reason)
    assert chapter.step == "windows"
    assert chapter.value is not None
    assert chapter.threshold is not None
    assert int(chapter.value) > int(chapter.threshold)
    assert told.where.endswith("quarantine")


def test_a_duplicate_tells_which_one_was_kept(demo: Demo, spark: SparkSession) -> None:
    told = story(spark, demo, "duplicate_exact")
    assert (told.outcome, told.reason) == ("merge", "duplicate_exact")
    assert told.kept_id == first(demo, "duplicate_exact")["kept_id"]
    assert told.rows_in == first(demo, "duplicate_exact")["rows"]


def test_a_clean_conversation_tells_its_split(demo: Demo, spark: SparkSession) -> None:
    spoiled = {row["conversation_id"] for row in demo.truth}
    told = tell(spark, demo.settings, next(i for n in range(9) if (i := f"c-{n:05d}") not in spoiled))
    assert told.split in ("train", "validation", "test")
    assert [chapter.step for chapter in told.chapters] == ["outcome"]
    assert told.run_id == demo.curation.run_id


def test_an_unknown_id_is_an_error_with_a_remedy(demo: Demo, spark: SparkSession) -> None:
    with pytest.raises(InputError, match=r"ledger has no conversation 'c-99999'\. Check the id"):
        tell(spark, demo.settings, "c-99999")


def test_before_the_first_curation_it_says_which_table_is_missing(demo: Demo, spark: SparkSession) -> None:
    elsewhere = demo.settings.tables.model_copy(update={"location": f"{demo.settings.tables.location}-none"})
    with pytest.raises(InputError, match="ledger cannot be read"):
        tell(spark, demo.settings.model_copy(update={"tables": elsewhere}), "c-00000")


def test_every_reason_and_every_outcome_of_the_sample_is_told(demo: Demo, spark: SparkSession) -> None:
    made = decisions(spark, demo.settings)
    assert set(OUTCOMES) - LOOSE <= made.keys()
    left = {code: min(ids) for code, ids in made.items()}
    ended = outcomes(spark, demo.settings)
    told = {name: tell(spark, demo.settings, name) for name in {*left.values()}}
    for code, name in left.items():
        chapter = next(chapter for chapter in told[name].chapters if chapter.reason == code)
        assert chapter.meaning == all_rules()[code].summary, code
        assert chapter.step == all_rules()[code].step, code
        assert (told[name].outcome, told[name].reason) == (ended[name]["action"], ended[name]["reason"]), code
        assert told[name].rows_in == ended[name]["rows"], code
    assert {story.outcome for story in told.values()} == {"keep", "quarantine", "merge"}
    assert {each.action for story in told.values() for each in story.chapters} >= {"trim", "note", "untrain", "merge"}
