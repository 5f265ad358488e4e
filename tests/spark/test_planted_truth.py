"""The sample's planted defects against what the job decided: nothing missed, nothing else touched."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.replies.catalogue import REPLY_RULES
from finelake.sample.defect import OUTCOMES
from finelake.sample.planted.replies import NEAR_MISS
from finelake.sample.scores import score_rules
from support.lake import Demo, decisions, outcomes, published_lines, read_json_lines, table

pytestmark = pytest.mark.spark

LOOSE = {"conversation_id_missing", "row_not_json"}
# Two planted texts are said in words that the phrase lists do not have; all else is found.
RECALL = {"reply_refusal": 0.5, "reply_handoff": 0.5}
# Their positions in the sorted conversation are the turn indexes: no copy stands before them.
PLACED = (
    "turn_empty",
    "turn_merged",
    "assistant_leading",
    "user_trailing",
    "tool_trailing",
    "system_prompt_repeated",
    "turn_clock_skew",
)


def planted(demo: Demo) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in demo.truth:
        if row["defect"] not in LOOSE:
            found[row["defect"]].add(row["conversation_id"])
    return found


def test_every_kind_of_defect_is_planted(demo: Demo) -> None:
    assert {row["defect"] for row in demo.truth} == set(OUTCOMES)


def test_each_rule_finds_what_was_planted_for_it_and_nothing_else(demo: Demo, spark: SparkSession) -> None:
    scores = score_rules(demo.truth, decisions(spark, demo.settings))
    assert {score.code for score in scores} >= set(OUTCOMES) - LOOSE
    for score in scores:
        assert score.planted, score
        assert score.precision == 1.0, score
        assert score.recall >= RECALL.get(score.code, 1.0), score


def test_every_rule_about_replies_is_planted_with_near_misses_beside_it(demo: Demo, spark: SparkSession) -> None:
    codes = {rule.code for rule in REPLY_RULES.values()}
    assert codes <= planted(demo).keys()
    near = {name for name in read_raw_ids(demo) if name.endswith(NEAR_MISS)}
    assert len(near) > 2 * len(codes)
    assert {name for ids in decisions(spark, demo.settings).values() for name in ids}.isdisjoint(near)
    assert {outcomes(spark, demo.settings)[name]["action"] for name in near} == {"keep"}


def test_each_conversation_ends_as_the_truth_says(demo: Demo, spark: SparkSession) -> None:
    found = outcomes(spark, demo.settings)
    quarantined = {i for code, ids in planted(demo).items() if OUTCOMES[code] == "quarantined" for i in ids}
    merged = planted(demo)["duplicate_exact"]
    rows = read_raw_ids(demo)
    assert {i for i, row in found.items() if row["action"] == "quarantine"} == quarantined
    assert {i for i, row in found.items() if row["action"] == "merge"} == merged
    assert {i for i, row in found.items() if row["action"] == "keep"} == set(rows) - quarantined - merged
    assert {i: row["rows"] for i, row in found.items()} == rows


def read_raw_ids(demo: Demo) -> dict[str, int]:
    broken = {line for row in demo.truth if row["defect"] == "row_not_json" for line in row["lines"]}
    texts = demo.files.raw_turns.read_text(encoding="utf-8").split("\n")
    path = demo.files.raw_turns.with_name("readable.jsonl")
    path.write_text("\n".join(text for n, text in enumerate(texts, 1) if n not in broken), encoding="utf-8")
    ids = Counter(row.get("conversation_id") for row in read_json_lines(path))
    del ids[None]
    return dict(ids)


def test_a_duplicate_names_the_kept_conversation(demo: Demo, spark: SparkSession) -> None:
    found = outcomes(spark, demo.settings)
    for row in demo.truth:
        if row["defect"] == "duplicate_exact":
            outcome = found[row["conversation_id"]]
            assert (outcome["reason"], outcome["kept_id"]) == ("duplicate_exact", row["kept_id"])
            assert found[row["kept_id"]]["action"] == "keep"


def test_trimmed_merged_and_noted_turns_are_the_planted_ones(demo: Demo, spark: SparkSession) -> None:
    made = table(spark, demo.settings, "ledger").where(F.col("reason").isin(*PLACED)).collect()
    found = {(row["conversation_id"], row["reason"]): list(row["turns"]) for row in made}
    for row in demo.truth:
        if row["defect"] in PLACED:
            assert found[(row["conversation_id"], row["defect"])] == row["turn_indexes"], row["defect"]


def test_loose_rows_are_kept_apart_with_their_content(demo: Demo, spark: SparkSession) -> None:
    rows = table(spark, demo.settings, "quarantine").where("unit = 'row'").collect()
    expected = Counter(row["defect"] for row in demo.truth if row["defect"] in LOOSE)
    assert Counter(reason for row in rows for reason in row["reasons"]) == expected
    assert demo.curation.balance.loose_rows == sum(expected.values())
    assert all(row["payload"] for row in rows)
    lines = demo.files.raw_turns.read_text(encoding="utf-8").split("\n")
    for row in demo.truth:
        if row["defect"] == "row_not_json":
            (line,) = row["lines"]
            broken = lines[line - 1][:25].replace('"', '\\"')
            assert any(broken in found["payload"] for found in rows)


def test_quarantine_explains_every_reason_as_dqx_does(demo: Demo, spark: SparkSession) -> None:
    rows = table(spark, demo.settings, "quarantine").collect()
    assert rows
    for row in rows:
        assert [error["name"] for error in row["_errors"]] == list(row["reasons"])
        assert all(error["message"] and error["function"] and error["rule_fingerprint"] for error in row["_errors"])
        assert {error["run_id"] for error in row["_errors"]} == {demo.curation.run_id}
    functions = {error["name"]: error["function"] for row in rows for error in row["_errors"]}
    assert functions["row_not_json"] == "ingest"


def test_quarantine_keeps_all_turns_of_a_conversation(demo: Demo, spark: SparkSession) -> None:
    rows = table(spark, demo.settings, "quarantine").where("unit = 'conversation'")
    counted = rows.select("rows_in", F.json_array_length("payload").alias("turns")).collect()
    assert counted
    assert all(row["rows_in"] == row["turns"] for row in counted)


def test_published_files_hold_the_kept_conversations_alone(demo: Demo, spark: SparkSession) -> None:
    kept = table(spark, demo.settings, "examples").select("conversation_id", "line").collect()
    found = outcomes(spark, demo.settings)
    assert {row["conversation_id"] for row in kept} == {i for i, row in found.items() if row["action"] == "keep"}
    assert Counter(published_lines(demo.output)) == Counter(row["line"] for row in kept)


def test_counts_of_the_manifest_are_those_of_the_ledger(demo: Demo, spark: SparkSession) -> None:
    expected = {code: len(ids) for code, ids in decisions(spark, demo.settings).items()}
    expected["duplicate_exact"] = len(planted(demo)["duplicate_exact"])
    expected |= Counter(row["defect"] for row in demo.truth if row["defect"] in LOOSE)
    counts = {code: rule["count"] for code, rule in demo.curation.rules.items() if not code.startswith("assigned_")}
    assert counts == expected
    assigned = {code: rule["count"] for code, rule in demo.curation.rules.items() if code.startswith("assigned_")}
    assert assigned == {f"assigned_{split}": item.examples for split, item in demo.curation.files.items()}
