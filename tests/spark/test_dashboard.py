"""The queries of conf/sql over the tables that the jobs write."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.tables.names import RUNS
from support.lake import Demo, table
from support.pages import ROOT, blocks
from support.queries import QUERIES, ask

pytestmark = pytest.mark.spark

FIRST_DAY = datetime(2026, 3, 1, 4, tzinfo=UTC)
DROPPED = (0.04, 0.05, 0.045, 0.05, 0.04, 0.30, 0.05)
ENTRIES = (
    "run_id string, sequence long, holder string, step string, entry string, payload string, recorded_at timestamp"
)
ALARM = {"trailing": 7, "deviations": 3.0, "margin": 0.02}

Entry = tuple[str, int, str, str, str, str, datetime]


def entry(journal: str, step: str, payload: dict[str, Any], *, at: datetime, kind: str = "result") -> Entry:
    return (journal, 1, "here", step, kind, json.dumps(payload), at)


def curated(manifest: dict[str, Any], day: int, dropped: float) -> Entry:
    """A curation of a day: the sample's manifest with another balance."""
    rows = 10_000
    balance = manifest["balance"] | {"rows_in": rows, "rows_kept": round(rows * (1 - dropped))}
    payload = manifest | {"run_id": f"day-{day}", "balance": balance}
    return entry(f"curation-day-{day}", "curation", payload, at=FIRST_DAY + timedelta(days=day))


def trained(run_id: str, *, price: list[Any] | None, day: int) -> list[Entry]:
    at = FIRST_DAY + timedelta(days=day)
    return [
        entry(run_id, "origin", {"model": "gpt-4.1-mini-2025-04-14"}, at=at),
        entry(run_id, "plan", {"price": price}, at=at),
        entry(run_id, "watch", {}, at=at, kind="intent"),
        entry(run_id, "watch", {"trained_tokens": 1_000}, at=at),
        entry(run_id, "deploy", {}, at=at + timedelta(minutes=1), kind="intent"),
    ]


def evaluated(run_id: str, *, day: int) -> Entry:
    gated = {
        "base_mean": 10.0,
        "tuned_mean": 30.0,
        "difference": 20.0,
        "items": 80,
        "interval": {"low": 15, "high": 25},
    }
    payload = {
        "run_id": run_id,
        "evaluation_id": "e1",
        "verdict": "promote",
        "reasons": ["The whole interval is above the gain asked for."],
        "gate": {"metric": "chrf"},
        "metrics": {"chrf": gated | {"interval": {"low": 15.0, "high": 25.0}}},
        "answers": {"tuned": {"model": "tuned"}, "base": {"model": "base"}},
        "spent": {"tokens": 500, "cost": 0.25, "currency": "USD"},
    }
    return entry(f"evaluation-{run_id}", "evaluation.e1", payload, at=FIRST_DAY + timedelta(days=day))


@pytest.fixture(scope="module")
def runs(spark: SparkSession, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table of runs: the sample's own curation, a week of others, two training runs and an evaluation."""
    place = str(tmp_path_factory.mktemp("dashboard") / "runs")
    own = table(spark, demo.settings, RUNS)
    (recorded,) = own.where("step = 'curation'").limit(1).collect()
    manifest = json.loads(recorded["payload"])
    rows = [curated(manifest, day, dropped) for day, dropped in enumerate(DROPPED)]
    rows += trained("t1", price=[1.5, 3.0, "USD", "2026-01-01"], day=0) + trained("t2", price=None, day=1)
    rows.append(evaluated("t1", day=1))
    entries = spark.createDataFrame(rows, ENTRIES)
    own.select(*entries.columns).union(entries).write.format("delta").save(place)
    return place


def test_outcomes_add_up_to_the_rows_of_each_curation(spark: SparkSession, demo: Demo, runs: str) -> None:
    own = [row for row in ask(spark, "outcomes_by_day", runs=runs) if row["run_id"] == demo.curation.run_id]
    balance = demo.curation.balance
    assert {row["outcome"]: row["rows"] for row in own} == {
        "kept": balance.rows_kept,
        "quarantined": balance.rows_quarantined,
        "merged": balance.rows_merged,
    }
    assert sum(row["rows"] for row in own) == demo.ingested.rows
    assert sum(row["share_of_rows"] for row in own) == pytest.approx(1.0, abs=1e-5)


def test_reasons_are_those_of_the_ledger(spark: SparkSession, demo: Demo, runs: str) -> None:
    own = [row for row in ask(spark, "reasons_by_day", runs=runs) if row["run_id"] == demo.curation.run_id]
    counted = table(spark, demo.settings, "ledger").where(F.col("conversation_id").isNotNull())
    expected = {
        row["reason"]: row["n"]
        for row in counted.groupBy("reason").agg(F.countDistinct("conversation_id").alias("n")).collect()
    }
    found = {row["reason"]: row["conversations"] for row in own if row["reason"] in expected}
    assert len(found) == len(expected) > 10
    assert found == {reason: expected[reason] for reason in found}


def test_only_the_day_that_stands_out_is_an_alarm(spark: SparkSession, runs: str) -> None:
    found = {row["run_id"]: row for row in ask(spark, "drop_rate_alarm", runs=runs, **ALARM)}
    assert {run_id for run_id, row in found.items() if row["alarm"]} == {"day-5"}
    assert found["day-5"]["trailing_mean"] == pytest.approx(sum(DROPPED[:5]) / 5)
    assert found["day-5"]["runs_before"] == 5
    assert found["day-2"]["alarm"] is False
    calm = ask(spark, "drop_rate_alarm", runs=runs, **(ALARM | {"margin": 0.5}))
    assert not [row for row in calm if row["alarm"]]


def test_the_alert_of_the_page_counts_alarms_of_the_last_day_alone(spark: SparkSession, runs: str) -> None:
    (shown,) = [block.text for block in blocks(ROOT / "docs" / "dashboard.md") if "AS alarms" in block.text]
    alert = shown.replace("... the text of drop_rate_alarm.sql ...", "{}")
    assert ask(spark, "drop_rate_alarm", within=alert, runs=runs, **ALARM) == [(0,)]
    ever = alert.replace("INTERVAL 1 DAY", "INTERVAL 36500 DAY")
    assert ask(spark, "drop_rate_alarm", within=ever, runs=runs, **ALARM) == [(1,)]


def test_the_queries_of_the_databricks_page_run_over_the_tables(spark: SparkSession, demo: Demo) -> None:
    (shown,) = [block.text for block in blocks(ROOT / "docs" / "databricks.md") if block.language == "sql"]
    splits, reasons, _ = (statement.strip() for statement in shown.split(";") if statement.strip())
    folder = demo.settings.tables.location
    found = [
        spark.sql(re.sub(r"main\.finelake\.(\w+)", rf"delta.`{folder}/\1`", statement)).collect()
        for statement in (splits, reasons)
    ]
    assert sum(row["examples"] for row in found[0]) == demo.curation.balance.examples
    assert {row["split"] for row in found[0]} == {"train", "validation", "test"}
    assert len(found[1]) > 5


def test_costs_are_by_day_model_and_kind(spark: SparkSession, runs: str) -> None:
    found = {(str(row["day"]), row["what"], row["currency"]): row for row in ask(spark, "cost_by_day", runs=runs)}
    first = found["2026-03-01", "training", "USD"]
    assert (first["tokens"], first["least"], first["most"]) == (1_000, 1.5, 3.0)
    unpriced = found["2026-03-02", "training", None]
    assert (unpriced["tokens"], unpriced["least"]) == (1_000, None)
    asked = found["2026-03-02", "evaluation", "USD"]
    assert (asked["tokens"], asked["most"], asked["model"]) == (500, 0.25, "gpt-4.1-mini-2025-04-14")


def test_verdicts_and_unfinished_steps_are_listed(spark: SparkSession, runs: str) -> None:
    (verdict,) = ask(spark, "verdicts", runs=runs)
    assert (verdict["verdict"], verdict["gain"], verdict["gain_low"], verdict["tuned_model"]) == (
        "promote",
        20.0,
        15.0,
        "tuned",
    )
    assert [(row["run_id"], row["step"]) for row in ask(spark, "unfinished_runs", runs=runs)] == [
        ("t1", "deploy"),
        ("t2", "deploy"),
    ]


def test_one_long_table_holds_every_measure(spark: SparkSession, demo: Demo, runs: str) -> None:
    found = ask(spark, "observability", runs=runs)
    keyed = {(row["run_id"], row["measure"], row["label"]): row["value"] for row in found}
    assert len(keyed) == len(found)
    own, balance = demo.curation.run_id, demo.curation.balance
    assert keyed[own, "rows", "in"] == demo.ingested.rows
    assert keyed[own, "conversations", "quarantined"] == balance.conversations_quarantined
    assert keyed[own, "examples", "train"] == demo.curation.files["train"].examples
    assert {label for run, measure, label in keyed if (run, measure) == (own, "reason")} == set(demo.curation.rules)
    assert keyed["t1", "verdict", "promote"] == 1
    assert (keyed["t1", "cost", "USD"], keyed["t1", "gain", "chrf"], keyed["t2", "trained_tokens", None]) == (
        0.25,
        20.0,
        1_000,
    )


def test_every_query_names_its_parameters() -> None:
    for path in QUERIES.glob("*.sql"):
        text = path.read_text(encoding="utf-8")
        named = {"runs", "aliases", "trailing", "deviations", "margin"}
        assert {name for name in named if f":{name}" in text} <= {name for name in named if f"{name} (" in text}, path
