"""Data that keeps coming: increments give the tables that one run over everything gives, also when killed."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finelake.config.models import load_catalogue
from finelake.config.settings import Settings
from finelake.curate import curate
from finelake.curation.increment import changed_by_feed
from finelake.curation.progress import Basis
from finelake.curation.run import CurationRun
from finelake.erasure.requests import Erasures
from finelake.errors import InputError
from finelake.tables.changes import identify
from finelake.tables.names import source_ref
from support.kills import Killed, killed_after, not_in_connect
from support.lake import TURN_COLUMNS, TurnTuple, contents, outcomes, save_turns, settings_for, table, talk, turn

pytestmark = pytest.mark.spark

TABLES = ("annotated", "examples", "quarantine", "ledger", "signatures", "pairs", "contamination")
CANNED = "Thank you for writing to us, we will look into this and come back to you."
COUNT = 30
SEEDS = [int(seed) for seed in os.environ.get("FINELAKE_TEST_SEEDS", "101").split(",")]


def day_one() -> list[TurnTuple]:
    rows = [row for n in range(COUNT) for row in talk(f"c-{n:02d}", f"Where is order {n}?", _reply(n), user=f"u{n}")]
    rows += [row for n in range(4) for row in talk(f"k-{n}", f"I need help with item {n}.", CANNED, user=f"k{n}")]
    return [*rows, turn(None, 0, "customer", "No id")]


def day_two() -> list[TurnTuple]:
    late = [turn("c-01", 2, "customer", "And order 99?", user="u1"), turn("c-01", 3, "agent", "On Friday.", user="u1")]
    new = [row for n in range(3) for row in talk(f"d-{n}", f"Where is parcel {n}?", _reply(n + 50), user=f"v{n}")]
    canned = [row for n in (4, 5) for row in talk(f"k-{n}", f"I need help with item {n}.", CANNED, user=f"k{n}")]
    near = talk("d-near", "Where is order 7?", _reply(7) + " Bye.", user="w1")
    return [*late, *new, *canned, *near]


def _reply(n: int) -> str:
    # Canned replies are compared without digits, so these differ in letters.
    letters = str.maketrans("0123456789", "abcdefghij")
    words = " ".join(f"word{(n * 37 + place * 11) % 900}".translate(letters) for place in range(60))
    return f"Your order is on its way: {words}."


def settings_in(folder: Path, **sections: Any) -> Settings:
    canned = {"action": "warn", "min_count": 5, "min_share": 0.0, "min_characters": 20}
    return settings_for(
        folder,
        # Relative, so that a copied lake is the same source to the settings as it is to Delta.
        source={"table": "./raw"},
        **{
            "duplicates": {"near": True},
            "splits": {"validation": 0.2, "test": 0.2},
            "replies": {"canned": canned},
        }
        | sections,
    )


@dataclass(frozen=True)
class Days:
    """A lake that was curated after the first day and has the second day's rows, and all of it curated in one run."""

    started: Path
    whole: Settings

    def again(self, patch: pytest.MonkeyPatch, folder: Path, **sections: Any) -> Settings:
        """Copy the lake of the first day, and work in it."""
        shutil.copytree(self.started, folder)
        patch.chdir(folder)
        return settings_in(folder, **sections)


@pytest.fixture(scope="module")
def days(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Days:
    folder = tmp_path_factory.mktemp("days")
    started, whole = folder / "started", folder / "whole"
    save_turns(spark, day_one(), started / "raw")
    spark.sql(f"ALTER TABLE delta.`{started}/raw` SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(started)
        curate(spark, settings_in(started))
    raw = f"delta.`{started}/raw`"
    spark.createDataFrame(day_two(), TURN_COLUMNS).write.format("delta").mode("append").save(str(started / "raw"))
    spark.sql(f"DELETE FROM {raw} WHERE conversation_id = 'c-02'")
    spark.sql(f"UPDATE {raw} SET text = 'Where is the order of Ann?' WHERE conversation_id = 'c-03' AND turn_index = 0")
    shutil.copytree(started / "raw", whole / "raw")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(whole)
        curate(spark, settings_in(whole))
    return Days(started, settings_in(whole))


def assert_same(spark: SparkSession, settings: Settings, whole: Settings) -> None:
    for name in (name for name in TABLES if settings.duplicates.near or name not in ("signatures", "pairs")):
        assert contents(table(spark, settings, name)) == contents(table(spark, whole, name)), name
    # That pins hold is checked where there are some. A pin stays as it was made, also that of a conversation which
    # went, or was merged into a later one (docs/splits.md).
    found, expected = (
        contents(table(spark, of, "audit").where("check <> 'examples_moved'")) for of in (settings, whole)
    )
    assert found == expected
    pins, all_pins = (table(spark, of, "assignments").select("conversation_id", "split") for of in (whole, settings))
    assert pins.exceptAll(all_pins).count() == 0
    for split in ("train", "validation", "test"):
        published = [(Path(of.output.folder) / f"{split}.jsonl").read_bytes() for of in (settings, whole)]
        assert published[0] == published[1]


def manifest_of(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(settings.output.folder) / "manifest.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("way", ["feed", "compare"])
def test_an_increment_equals_one_run_over_everything(
    days: Days, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    settings = days.again(monkeypatch, tmp_path / "lake", increments={"mode": way})
    curate(spark, settings)
    assert_same(spark, settings, days.whole)
    increment = manifest_of(settings)["increment"]
    # c-01 and c-03 changed, c-02 went, four came, and the six that hold the reply that is canned now.
    assert (increment["way"], increment["rebuilt"], increment["gone"]) == (way, 12, 1)
    assert manifest_of(days.whole)["increment"]["way"] == "full"
    found = outcomes(spark, settings)
    assert "c-02" not in found
    assert (found["c-01"]["rows"], found["c-07"]["kept_id"]) == (4, "d-near")
    ledger = table(spark, settings, "ledger").where("reason = 'reply_canned'").select("conversation_id").distinct()
    assert {row[0] for row in ledger.collect()} == {f"k-{n}" for n in range(6)}


def curate_until_killed(spark: SparkSession, settings: Settings, commits: int) -> list[str]:
    """Curate, and give the tables that were committed to; the last one is '' where the run came to its end."""
    with killed_after(commits) as done:
        try:
            curate(spark, settings)
        except Killed:
            return done
    return [*done, ""]


@pytest.mark.parametrize("commits", [1, 2, 3])
def test_a_kill_between_the_commits_of_an_increment_leaves_no_trace(
    days: Days, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    settings = days.again(monkeypatch, tmp_path / "lake")
    done = curate_until_killed(spark, settings, commits)
    assert done == ["annotated", "annotated", "increments"][:commits]
    curate(spark, settings)
    assert_same(spark, settings, days.whole)
    # What is not recorded as finished is not trusted; what is goes on.
    assert manifest_of(settings)["increment"]["way"] == ("full" if commits < 3 else "feed")


@pytest.mark.timeout(1800)
@not_in_connect
def test_killed_after_every_commit_in_turn_it_ends_with_the_same_tables(
    days: Days, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = days.again(monkeypatch, tmp_path / "lake")
    # The increment is recorded: the next runs find nothing to pass through, and each comes one commit further.
    killed, commits = curate_until_killed(spark, settings, 3), 2
    while (done := curate_until_killed(spark, settings, commits))[-1]:
        killed.append(done[-1])
        commits += 1
    assert_same(spark, settings, days.whole)
    assert {"increments", "signatures", "pairs", "audit", "assignments", "runs"} <= set(killed)
    assert {"examples", "quarantine", "ledger"} & set(killed), "these are written side by side, in any order"


def change_at_random(spark: SparkSession, raw: str, day: int, chance: random.Random) -> None:
    """Do a day's work on the raw table: new conversations, late and earlier turns, copies, edits, deletions."""
    rows = [
        row
        for n in range(chance.randint(1, 5))
        for row in talk(f"n-{day}-{n}", f"Where is it, {day}?", _reply(60 * day + n), user=f"u{chance.randrange(40)}")
    ]
    for n in chance.sample(range(COUNT), 5):
        late = [turn(f"c-{n:02d}", 10 * day + at, "customer", f"And {day}?", user=f"u{n}") for at in (0, 1)]
        answered = [*late[:1], turn(f"c-{n:02d}", 10 * day + 1, "agent", _reply(700 + n), user=f"u{n}")]
        earlier = [turn(f"c-{n:02d}", -day, "system", "You are the assistant of a bicycle shop.", user=f"u{n}")]
        rows += chance.choice([late, answered, earlier, talk(f"copy-{day}-{n}", "Thanks!", _reply(n), user=f"u{n}")])
    rows += [turn(None, 0, "customer", f"No id on day {day}")]
    rows += talk(f"k-{day}-more", f"I need help with item {day}.", CANNED, user=f"k{chance.randrange(4)}")
    spark.createDataFrame(rows, TURN_COLUMNS).write.format("delta").mode("append").save(raw)
    edited, gone = (f"c-{n:02d}" for n in chance.sample(range(COUNT), 2))
    spark.sql(
        f"UPDATE delta.`{raw}` SET text = 'Is it day {day}?' WHERE conversation_id = '{edited}' AND turn_index = 0"
    )
    condition = chance.choice([f"conversation_id = '{gone}'", f"conversation_id = '{gone}' AND turn_index > 1"])
    spark.sql(f"DELETE FROM delta.`{raw}` WHERE {condition}")


@pytest.mark.timeout(1800)
@not_in_connect
@pytest.mark.parametrize("seed", SEEDS)
def test_random_days_with_kills_end_with_the_tables_of_one_run(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    save_turns(spark, day_one(), grown / "raw")
    spark.sql(f"ALTER TABLE delta.`{grown}/raw` SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    monkeypatch.chdir(grown)
    # Near duplicates tie users together, and a tie that comes later meets pins: tested in test_splits.py.
    settings = settings_in(grown, duplicates={"near": False})
    curate(spark, settings)
    for day in (1, 2):
        change_at_random(spark, str(grown / "raw"), day, chance)
        curate_until_killed(spark, settings, chance.randint(1, 9))
        mode = chance.choice(["feed", "compare", "auto"])
        curate(spark, settings_in(grown, duplicates={"near": False}, increments={"mode": mode}))
    shutil.copytree(grown / "raw", whole / "raw")
    monkeypatch.chdir(whole)
    at_once = settings_in(whole, duplicates={"near": False})
    curate(spark, at_once)
    assert_same(spark, settings, at_once)


def test_columns_that_come_are_ignored_and_others_are_refused(
    days: Days, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = days.again(monkeypatch, tmp_path / "lake")
    raw = str(tmp_path / "lake" / "raw")
    more = spark.createDataFrame(talk("e-0", "Is it new?", _reply(80)), TURN_COLUMNS).withColumn("mood", F.lit("good"))
    more.write.format("delta").mode("append").option("mergeSchema", "true").save(raw)
    curate(spark, settings)
    assert manifest_of(settings)["increment"]["way"] == "feed"
    assert outcomes(spark, settings)["e-0"]["action"] == "keep"
    as_number = spark.read.format("delta").load(raw).withColumn("sent_at", F.lit(1.5))
    as_number.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(raw)
    with pytest.raises(InputError, match="sent_at was string, is double"):
        curate(spark, settings)
    curate(spark, settings_in(tmp_path / "lake", increments={"retyped": "accept"}))
    increment = manifest_of(settings)["increment"]
    assert (increment["way"], increment["why"]) == ("full", "a mapped column has another type")
    gone = spark.read.format("delta").load(raw).drop("text")
    gone.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(raw)
    with pytest.raises(InputError, match="no column text"):
        curate(spark, settings)


def test_a_feed_that_does_not_reach_back_is_said_and_not_used(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_turns(spark, talk("a-0", "Is it here?", "Yes."), tmp_path / "raw")
    raw = f"delta.`{tmp_path / 'raw'}`"
    spark.sql(f"DELETE FROM {raw} WHERE conversation_id = 'a-0'")
    spark.sql(f"ALTER TABLE {raw} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    late = spark.createDataFrame(talk("b-0", "And now?", "Now too."), TURN_COLUMNS)
    late.write.format("delta").mode("append").save(str(tmp_path / "raw"))
    source = source_ref(str(tmp_path / "raw"))
    settings = settings_for(tmp_path)
    run = CurationRun(spark, settings, load_catalogue(None), source, 3, "run", None, {}, Erasures())
    at = {n: Basis(source_id="", source_version=n, recipe="", columns={}, canned=frozenset()) for n in range(4)}
    with caplog.at_level(logging.WARNING):
        assert changed_by_feed(run, at[0], at[3], identify(spark, source)) is None
    assert "cannot be read from version 1 on" in caplog.text
    reached = changed_by_feed(run, at[2], at[3], identify(spark, source))
    assert reached is not None
    assert [row[0] for row in reached.collect()] == ["b-0"]
