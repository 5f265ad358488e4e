"""Near duplicates through the whole job: outcomes, evidence, groups, and stored signatures on the next run."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

import pytest
from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.curate import Curation, curate
from finelake.why import tell
from support.lake import TURN_COLUMNS, TurnTuple, outcomes, save_turns, settings_for, table, talk

pytestmark = pytest.mark.spark

WORDS = ["amber", "birch", "cedar", "delta", "ember", "frost", "grove", "haven", "inlet", "jetty", "knoll", "larch"]
SHARED_PROMPT = " ".join(f"rule{n}" for n in range(400))
SHORT = 20


def prose(seed: str, words: int = 80) -> str:
    chosen = random.Random(seed)
    return " ".join(f"{chosen.choice(WORDS)}{chosen.randrange(1000)}" for _ in range(words))


def changed(text: str, place: int) -> str:
    words = text.split(" ")
    words[place] = "changed"
    return " ".join(words)


def with_prompt(conversation_id: str, *texts: str, user: str) -> list[TurnTuple]:
    turns = talk(conversation_id, *texts, user=user)
    return [
        (conversation_id, 0, None, "system", SHARED_PROMPT, None, None, user),
        *((i, (n or 0) + 1, *rest) for i, n, *rest in turns),
    ]


def chats() -> list[TurnTuple]:
    question, answer = prose("question"), prose("answer", 120)
    later = changed(answer, 40)
    rows = with_prompt("a-first", question, answer, user="ann")
    rows += with_prompt("b-near", question, later, user="ben")
    rows += with_prompt("c-near-copy", question, later.upper(), user="cat")
    rows += with_prompt("d-of-ben", prose("another"), prose("reply"), user="ben")
    rows += with_prompt("e-stranger", prose("strange"), prose("stranger"), user="eve")
    return rows + [row for n in range(SHORT) for row in talk(f"s-{n:02d}", f"Where is order {n}?", "On its way.")]


@dataclass(frozen=True, kw_only=True)
class Curated:
    settings: Settings
    curation: Curation


@pytest.fixture(scope="module")
def curated(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Curated:
    folder = tmp_path_factory.mktemp("near")
    save_turns(spark, chats(), folder / "raw")
    settings = settings_for(folder, duplicates={"near": True}, splits={"validation": 0.2, "test": 0.2})
    return Curated(settings=settings, curation=curate(spark, settings))


def test_a_near_duplicate_is_merged_into_the_better_one(curated: Curated, spark: SparkSession) -> None:
    found = outcomes(spark, curated.settings)
    near, copy = found["b-near"], found["c-near-copy"]
    assert (near["action"], near["reason"], near["kept_id"]) == ("merge", "duplicate_near", "a-first")
    assert (copy["action"], copy["reason"], copy["kept_id"]) == ("merge", "duplicate_exact", "a-first")
    kept = {"a-first", "d-of-ben", "e-stranger", *(f"s-{n:02d}" for n in range(SHORT))}
    assert {found[name]["action"] for name in kept} == {"keep"}, "strangers share a prompt, short chats differ"


def test_the_pair_is_the_evidence(curated: Curated, spark: SparkSession) -> None:
    rows = [row.asDict() for row in table(spark, curated.settings, "pairs").collect()]
    assert [(row["first_id"], row["second_id"], row["merged"]) for row in rows] == [("a-first", "b-near", True)]
    # 200 words have 196 shingles; one word in the middle is part of five of them.
    assert rows[0]["similarity"] == pytest.approx(191 / 201, abs=1e-6)
    assert rows[0]["run_id"] == curated.curation.run_id


def test_the_story_tells_similarity_and_kept_one(curated: Curated, spark: SparkSession) -> None:
    told = tell(spark, curated.settings, "b-near")
    assert (told.outcome, told.reason, told.kept_id) == ("merge", "duplicate_near", "a-first")
    chapter = next(chapter for chapter in told.chapters if chapter.reason == "duplicate_near" and chapter.value)
    assert (float(chapter.value or 0), chapter.threshold) == (pytest.approx(191 / 201, abs=1e-6), "0.8")


def test_counts_balance_and_the_manifest_shows_the_curve(curated: Curated) -> None:
    assert curated.curation.rules["duplicate_near"]["count"] == 1
    assert curated.curation.balance.conversations_merged == 2
    manifest = json.loads((curated.curation.folder / "manifest.json").read_text(encoding="utf-8"))
    facts = manifest["duplicates"]
    assert (facts["conversations"], facts["hashed"], facts["reused"]) == (SHORT + 4, SHORT + 4, 0)
    assert (facts["bands"], facts["rows_a_band"]) == (21, 6)
    assert sum(number for step, number in facts["similarities"].items() if float(step) >= 0.8) == 1
    assert set(facts["s_curve"]) == {f"{step / 20:.2f}" for step in range(21)}


def test_the_next_run_hashes_only_what_is_new(curated: Curated, spark: SparkSession) -> None:
    new = with_prompt("n-new", prose("question"), changed(prose("answer", 120), 90), user="new")
    raw = curated.settings.source.table
    spark.createDataFrame(new, TURN_COLUMNS).write.format("delta").mode("append").save(raw)
    curate(spark, curated.settings)
    manifest = json.loads((curated.curation.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["duplicates"]["hashed"], manifest["duplicates"]["reused"]) == (1, SHORT + 4)
    assert outcomes(spark, curated.settings)["n-new"]["kept_id"] == "a-first"
