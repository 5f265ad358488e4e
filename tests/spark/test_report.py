"""The report of the curated sample against the tables themselves, and data that would break a page."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from finelake.decide import OUTCOME_STEP
from finelake.errors import InputError
from finelake.report.build import build_report, mixes_of, published_manifest, written_by
from finelake.report.counts import bin_bounds, decision_counts, example_ids, shared_text, totals, value_counts
from finelake.report.document import EXAMPLE_IDS, TOP_VALUES, Histogram, Report, from_json
from finelake.report.page.formats import number
from finelake.report.render import render
from finelake.report.sections import Written
from finelake.report.write import write_report
from support.lake import Demo, decisions, table
from support.page_rules import read_page

pytestmark = pytest.mark.spark

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
COUNTS = "tokens bigint, trained_tokens bigint, message_count int"


@pytest.fixture(scope="module")
def report(demo: Demo, spark: SparkSession) -> Report:
    return build_report(spark, demo.settings, manifest=published_manifest(demo.settings))


@pytest.fixture(scope="module")
def examples(demo: Demo, spark: SparkSession) -> list[Row]:
    columns = ("conversation_id", "tokens", "trained_tokens", "message_count", "language", "origins", "metadata")
    return table(spark, demo.settings, "examples").select(*columns).collect()


def test_waterfalls_go_from_what_came_in_to_what_was_kept(demo: Demo, report: Report) -> None:
    balance = demo.curation.balance
    assert (report.rows.start, report.rows.end) == (balance.rows_in, balance.rows_kept)
    assert (report.conversations.start, report.conversations.end) == (
        balance.conversations,
        balance.conversations_kept,
    )
    assert (report.turns.start, report.turns.end) == (balance.rows_kept, balance.turns_kept)
    assert len(report.rows.falls) >= 15
    assert {fall.effect for fall in report.rows.falls} == {"quarantine", "merge"}


def test_each_rule_has_the_ledgers_count_and_ids_of_it(demo: Demo, spark: SparkSession, report: Report) -> None:
    expected = decisions(spark, demo.settings)
    found = {rule.reason: rule for rule in report.rules}
    assert expected.keys() <= found.keys()
    for reason, ids in expected.items():
        assert found[reason].units == len(ids), reason
        assert set(found[reason].ids) <= ids, reason
        assert 0 < len(found[reason].ids) <= EXAMPLE_IDS
    assert sum(rule.units for rule in report.rules if rule.reason.startswith("assigned_")) == report.conversations.end
    assert all(rule.meaning for rule in report.rules)


def test_a_reason_is_listed_once_an_effect(report: Report) -> None:
    listed = Counter((rule.reason, rule.effect) for rule in report.rules)
    assert set(listed.values()) == {1}


def in_bin(histogram: Histogram, value: int) -> int:
    return next(n for n, each in enumerate(histogram.bins) if each.low <= value <= each.high)


@pytest.mark.parametrize(("name", "column"), [("tokens", "tokens"), ("messages", "message_count")])
def test_histograms_hold_every_example_in_its_bin(report: Report, examples: list[Row], name: str, column: str) -> None:
    histogram: Histogram = getattr(report, name)
    counted = Counter(in_bin(histogram, row[column]) for row in examples)
    assert [each.count for each in histogram.bins] == [counted[n] for n in range(len(histogram.bins))]
    values = sorted(row[column] for row in examples)
    assert histogram.largest == values[-1]
    assert histogram.median in values[len(values) // 2 - 2 : len(values) // 2 + 2]


def test_languages_origins_and_mapped_columns_are_those_of_the_table(report: Report, examples: list[Row]) -> None:
    mixes = {mix.column: mix for mix in report.mixes}
    assert set(mixes) == {"language", "origin", "topic"}
    expected = {
        "language": Counter(row["language"] for row in examples),
        "origin": Counter(" + ".join(sorted(row["origins"])) or None for row in examples),
        "topic": Counter(row["metadata"].get("topic") for row in examples),
    }
    for column, counter in expected.items():
        assert {share.value: share.examples for share in mixes[column].shares} == counter, column
        assert sum(share.trained_tokens for share in mixes[column].shares) == sum(r["trained_tokens"] for r in examples)


def test_privacy_counts_every_receipt(demo: Demo, spark: SparkSession, report: Report) -> None:
    rows = table(spark, demo.settings, "ledger").where(F.col("step") == "privacy").collect()
    expected: Counter[str] = Counter()
    for row in rows:
        expected[row["reason"].removeprefix("privacy_")] += len(row["value"].split(","))
    assert {each.kind: each.values for each in report.privacy} == dict(expected)


def test_the_page_shows_the_tables_numbers(demo: Demo, report: Report) -> None:
    page = read_page(render(report))
    assert page.broken == []
    for item in demo.curation.files.values():
        assert f"{item.file} {number(item.examples)}" in page.text
    balance = demo.curation.balance
    assert f"came in {number(balance.conversations)} {number(balance.rows_in)} 100.0" in page.text
    assert f"kept {number(balance.conversations_kept)} {number(balance.rows_kept)}" in page.text


def test_no_text_of_a_conversation_is_in_it(demo: Demo, spark: SparkSession, report: Report) -> None:
    page = render(report)
    rows = table(spark, demo.settings, "examples").select("messages.content").limit(200).collect()
    texts = {text for row in rows for text in row["content"] if text and len(text) > 20}
    assert len(texts) > 100
    assert not [text for text in texts if text in page]


def test_both_files_are_written_and_the_json_reads_back(
    demo: Demo, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = write_report(report, tmp_path_factory.mktemp("report"))
    assert from_json(files.json.read_text(encoding="utf-8")) == report
    assert json.loads(files.json.read_text(encoding="utf-8"))["run_id"] == demo.curation.run_id
    assert read_page(files.page.read_text(encoding="utf-8")).broken == []


def test_hostile_and_many_values_stay_bounded_text(spark: SparkSession, report: Report) -> None:
    ids = [f"{HOSTILE}{n}" for n in range(50)]
    ledger = spark.createDataFrame(
        [(each, "order", "note", "turn_gap", 1, "a,b", "x") for each in ids],
        "conversation_id string, step string, action string, reason string, rows int, value string, threshold string",
    )
    counted = decision_counts(ledger)
    (named,) = example_ids(ledger, counted).values()
    assert len(named) == EXAMPLE_IDS
    assert set(named) <= set(ids)
    assert (counted[0]["units"], counted[0]["values"]) == (50, 100)
    published = sum(split.examples for split in report.splits)
    languages = [None, *[f"{HOSTILE}{n % 30}" for n in range(published - 1)]]
    frame = spark.createDataFrame([(each, 10, 5, 3) for each in languages], f"language string, {COUNTS}")
    (mix,) = mixes_of(value_counts(frame, {"language": F.col("language")}))
    assert (mix.values, len(mix.shares), mix.examples) == (30, TOP_VALUES, published)
    assert mix.others is not None
    rules = (replace(report.rules[0], ids=named),)
    page = read_page(render(replace(report, rules=rules, mixes=(mix,))))
    assert page.broken == []
    assert page.text.count("<script>alert(1)</script>") >= EXAMPLE_IDS + TOP_VALUES - 1


def test_bins_have_exact_borders(spark: SparkSession) -> None:
    tokens = [1, 2, 3, 4, 255, 256, 257, 65_535, 65_536, 2**31]
    frame = spark.createDataFrame(
        [(n, 1, 1) for n in tokens], "tokens bigint, trained_tokens bigint, message_count int"
    )
    counted = {int(row["value"]): row["examples"] for row in value_counts(frame, {}) if row["column"] == "tokens"}
    expected = Counter(next(n for n in range(200) if bin_bounds(n)[0] <= each <= bin_bounds(n)[1]) for each in tokens)
    assert counted == dict(expected)


def test_shared_text_is_counted_by_source_and_side(spark: SparkSession) -> None:
    rows = [("c1", "faq", "prompt", 0, 13, 1), ("c1", "faq", "prompt", 20, 61, 1), ("c2", "faq", "prompt", 5, 18, 1)]
    rows += [("c1", "test", "answer", 0, 14, 2), (None, "test", "answer", None, None, 400)]
    columns = "conversation_id string, source string, side string, start int, end int, ngrams int"
    found = [tuple(row) for row in shared_text(spark.createDataFrame(rows, columns))]
    assert found == [("faq", "prompt", 2, 3, 41), ("test", "answer", 1, 1, 14)]


def test_who_wrote_the_trained_tokens_is_told(spark: SparkSession) -> None:
    rows = [(9, 2, 10, ["human", "bot"], 4), (9, 2, 20, ["human"], 20), (9, 2, 30, [], 0)]
    columns = "tokens bigint, message_count int, trained_tokens bigint, origins array<string>, human_tokens bigint"
    found = totals(spark.createDataFrame(rows, columns))
    assert (found["trained_tokens"], found["known_tokens"], found["human_tokens"]) == (60, 30, 24)
    assert written_by(found) == Written(trained_tokens=60, known_tokens=30, human_tokens=24)
    assert written_by(totals(spark.createDataFrame([(9, 2, 30, [], 0)], columns))) is None


def test_what_the_manifest_summarises_is_taken_over(demo: Demo, report: Report) -> None:
    manifest = published_manifest(demo.settings)
    assert report.windows is not None
    assert report.windows.long_conversations == manifest["windows"]["long_conversations"] > 0
    assert {each.policy for each in report.windows.policies} == {"window", "keep_last", "drop"}
    assert report.system_prompts is not None
    assert report.system_prompts.distinct == manifest["system_prompts"]["distinct"]


def test_before_the_first_curation_it_says_what_to_do(demo: Demo) -> None:
    output = demo.settings.output.model_copy(update={"folder": f"{demo.settings.output.folder}-none"})
    with pytest.raises(InputError, match="nothing was curated into this folder yet"):
        published_manifest(demo.settings.model_copy(update={"output": output}))


def test_a_table_that_is_gone_is_named(demo: Demo, spark: SparkSession) -> None:
    manifest = published_manifest(demo.settings)
    gone = {**manifest["tables"]["ledger"], "version": 99}
    with pytest.raises(InputError, match="ledger at version 99 cannot be read"):
        build_report(spark, demo.settings, manifest={**manifest, "tables": {**manifest["tables"], "ledger": gone}})


def test_outcomes_are_not_told_twice(report: Report) -> None:
    assert OUTCOME_STEP not in {rule.step for rule in report.rules}
