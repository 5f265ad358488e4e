"""Near duplicates on Spark: against brute force, on the driver and on Spark, and with stored signatures."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations, count
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finelake.config.settings import Duplicates
from finelake.relate.candidates import SMALL_BUCKET
from finelake.relate.documents import documents
from finelake.relate.near import Near, near_duplicates, near_groups, near_removals
from finelake.relate.related import pairs_of, resolve_on_driver, resolve_on_spark
from finelake.relate.signatures import signed

pytestmark = pytest.mark.spark

WORDS = ["amber", "birch", "cedar", "delta", "ember", "frost", "grove", "haven", "inlet", "jetty", "knoll", "larch"]
CONFIG = Duplicates(near=True, side="both")
SHORT, HOT = 400, 60

Rows = set[tuple[Any, ...]]


@dataclass(frozen=True)
class Chat:
    """A conversation as the search sees it."""

    name: str
    text: str
    group: str
    findings: int = 0
    tokens: int = 100
    day: int | None = None


def prose(seed: str, words: int = 80) -> str:
    chosen = random.Random(seed)
    return " ".join(f"{chosen.choice(WORDS)}{chosen.randrange(1000)}" for _ in range(words))


def changed(text: str, *places: int) -> str:
    words = text.split(" ")
    for place in places:
        words[place] = f"changed{place}"
    return " ".join(words)


def chats() -> list[Chat]:
    answer = prose("answer", 200)
    rows = [
        Chat("a-mended", answer, "user:ann", findings=1, tokens=900, day=1),
        Chat("b-longest", changed(answer, 40), "user:ben", tokens=300, day=9),
        Chat("c-late", changed(answer, 90), "user:cat", tokens=200, day=4),
        Chat("d-early", changed(answer, 91), "user:dan", tokens=200, day=3),
        Chat("e-undated", changed(answer, 140), "user:eve", tokens=200),
        Chat("f-of-eve", prose("another"), "user:eve"),
        Chat("g-silent", " ", "user:gus"),
        Chat("h-silent", "", "user:hal"),
    ]
    # Each link of the chain resembles the next; its ends do not resemble each other.
    links = [prose("chain", 100)]
    for place in (15, 50, 85):
        links.append(changed(links[-1], place))
    rows += [Chat(f"k-{n}", link, f"text:k{n}", day=n) for n, link in enumerate(links)]
    canned = prose("canned", 60)
    rows += [Chat(f"m-{n:02d}", f"{canned} {n}", f"text:m{n}") for n in range(HOT)]
    rows += [Chat(f"s-{n:03d}", f"Where is order {n}?\nOn its way.", f"text:s{n}") for n in range(SHORT)]
    chosen = random.Random(3)
    for n in range(60):
        text = prose(f"seed {n // 3}", 90)
        edits = chosen.sample(range(90), n % 3 * 2)
        rows.append(Chat(f"x-{n:02d}", changed(text, *edits), f"user:{chosen.randrange(30)}", day=chosen.randrange(9)))
    return rows


def shingles(text: str) -> set[tuple[str, ...]]:
    tokens = re.findall(r"[^\W_]+", text.lower())
    if len(tokens) < 5:
        return {(text.lower(),)}
    padded = tokens if len(tokens) >= 50 else [""] * 4 + tokens + [""] * 4
    return {tuple(padded[n : n + 5]) for n in range(len(padded) - 4)}


def order(chat: Chat) -> tuple[Any, ...]:
    return (chat.findings, -chat.tokens, 10**6 if chat.day is None else chat.day, chat.name)


def brute_force(rows: list[Chat]) -> tuple[Rows, Rows, Rows]:
    """Compare all with all: pairs (kept-first), merges and joined groups as the search should give them."""
    spoken = sorted((chat for chat in rows if chat.text.strip()), key=order)
    sets = {chat.name: shingles(chat.text) for chat in spoken}
    pairs = {}
    for one, other in combinations(spoken, 2):
        a, b = sets[one.name], sets[other.name]
        if len(a & b) >= CONFIG.threshold * len(a | b):
            pairs[one, other] = len(a & b) / len(a | b)
    merged: dict[Chat, Chat] = {}
    for chat in spoken:
        kept = [one for one, other in pairs if other == chat and one not in merged]
        if kept:
            merged[chat] = min(kept, key=order)
    return (
        {(one.name, other.name, f"{value:.6f}") for (one, other), value in pairs.items()},
        {(chat.name, kept.name, f"{pairs[kept, chat]:.6f}") for chat, kept in merged.items()},
        joined(pairs),
    )


def joined(pairs: dict[tuple[Chat, Chat], float]) -> Rows:
    since: dict[str, tuple[int, str]] = {}
    for chat in (end for pair in pairs for end in pair):
        seen = (10**6 if chat.day is None else chat.day, chat.group)
        since[chat.group] = min(seen, since.get(chat.group, seen))
    first = {group: group for group in since}
    for _ in since:
        for one, other in pairs:
            earliest = min(first[one.group], first[other.group], key=since.__getitem__)
            first[one.group] = first[other.group] = earliest
    return {(group, earliest) for group, earliest in first.items() if group != earliest}


def docs(spark: SparkSession, rows: list[Chat]) -> DataFrame:
    columns = "conversation_id string, compared string, grp string, findings int, tokens bigint, day int"
    values = [(chat.name, chat.text, chat.group, chat.findings, chat.tokens, chat.day) for chat in rows]
    frame = spark.createDataFrame(values, columns).withColumn("first_at", F.timestamp_seconds(F.col("day") * 86_400))
    return documents(frame, findings=F.col("findings"), tokens=F.col("tokens"), group=F.col("grp"))


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Callable[[DataFrame], DataFrame]:
    folder, numbers = tmp_path_factory.mktemp("near"), count()

    def written(frame: DataFrame) -> DataFrame:
        place = str(folder / str(next(numbers)))
        frame.write.parquet(place)
        return frame.sparkSession.read.parquet(place)

    return written


@pytest.fixture(scope="module")
def stored(spark: SparkSession, save: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """The signatures of all chats, as a first run writes them."""
    return save(signed(docs(spark, chats()), stored=None, config=CONFIG))


def content(found: Near) -> tuple[Rows, Rows, Rows]:
    pairs = found.pairs.withColumn("similarity", F.format_string("%.6f", "similarity"))
    return (
        rows_of(pairs, "first_id", "second_id", "similarity"),
        rows_of(near_removals(found.pairs, threshold=0.8), "conversation_id", "kept_id", "value"),
        rows_of(near_groups(found.pairs), "single_group", "joined_group"),
    )


def rows_of(frame: DataFrame, *columns: str) -> Rows:
    return {tuple(row) for row in frame.select(*columns).collect()}


@pytest.fixture(scope="module")
def found(spark: SparkSession, stored: DataFrame) -> Near:
    def refused(_: DataFrame) -> DataFrame:
        raise AssertionError("nothing is written for what fits on the driver")

    return near_duplicates(docs(spark, chats()), stored, config=CONFIG, save=refused)


def test_merges_and_groups_are_those_of_brute_force(found: Near) -> None:
    pairs, merged, groups = content(found)
    every, expected, joins = brute_force(chats())
    assert merged == expected
    assert groups == joins
    assert pairs <= every, "a pair is there only with its true similarity"
    # A large bucket is a star with neighbours: its pairs are not all found, those of small ones are. And of two that
    # were both merged into others no pair is told.
    gone = {name for name, _, _ in merged}
    told = {pair for pair in every if not (pair[0] in gone and pair[1] in gone)}
    assert {pair for pair in told - pairs if not pair[0].startswith("m-")} == set()
    assert pairs <= told


def test_the_keeper_has_the_fewest_findings_then_the_most_tokens(found: Near) -> None:
    removed = {name: kept for name, kept, _ in content(found)[1]}
    family = ("a-mended", "c-late", "d-early", "e-undated")
    assert {name: removed.get(name) for name in (*family, "b-longest")} == {
        **dict.fromkeys(family, "b-longest"),
        "b-longest": None,
    }


def test_a_chain_loses_only_direct_neighbours_of_kept_ones(found: Near) -> None:
    _, merged, groups = content(found)
    chain = {(name, kept) for name, kept, _ in merged if name.startswith("k-")}
    similar = {(one, other) for one, other, _ in content(found)[0]}
    assert chain
    assert {(kept, name) for name, kept in chain} <= similar
    assert {group for group in groups if group[0].startswith("text:k")} == {
        (f"text:k{n}", "text:k0") for n in range(1, 4)
    }


def test_short_chats_that_differ_are_all_kept(found: Near) -> None:
    assert not [name for name, _, _ in content(found)[1] if name.startswith("s-")]


def test_a_removal_tells_rule_similarity_and_threshold(found: Near) -> None:
    row = near_removals(found.pairs, threshold=0.8).where("conversation_id = 'c-late'").first()
    assert row is not None
    told = row.asDict()
    # 196 shingles; two changed words in the middle are part of ten of them.
    value = 186 / 206
    assert told == {
        "conversation_id": "c-late",
        "step": "duplicates",
        "action": "merge",
        "reason": "duplicate_near",
        "kept_id": "b-longest",
        "value": f"{value:.6f}",
        "threshold": "0.8",
    }


def test_the_facts_tell_curve_candidates_and_caps(found: Near) -> None:
    facts = found.facts
    spoken = len([chat for chat in chats() if chat.text.strip()])
    assert (facts["conversations"], facts["hashed"], facts["reused"]) == (spoken, spoken, 0)
    assert (facts["bands"], facts["rows_a_band"], facts["s_curve"]["0.80"]) == (21, 6, pytest.approx(0.998, abs=0.001))
    assert HOT >= facts["largest"] > SMALL_BUCKET
    assert facts["capped_rows"] > SMALL_BUCKET * facts["capped"] > 0
    alike = sum(number for step, number in facts["similarities"].items() if float(step) >= 0.8)
    assert facts["candidates"] > alike >= len(content(found)[0])


def test_spark_gives_what_the_driver_gives(
    spark: SparkSession, stored: DataFrame, found: Near, save: Callable[[DataFrame], DataFrame]
) -> None:
    unbounded = CONFIG.model_copy(update={"driver_values": 0})
    other = near_duplicates(docs(spark, chats()), stored, config=unbounded, save=save)
    assert content(other) == content(found)
    # The driver leaves out pairs of two that are both merged into a third one.
    everything, measured = other.facts["similarities"], found.facts["similarities"]
    assert all(number <= everything[step] for step, number in measured.items())
    assert sum(measured.values()) < sum(everything.values()) == found.facts["candidates"]
    assert {**other.facts, "similarities": None} == {**found.facts, "similarities": None}


def graphs() -> dict[str, list[tuple[int, int]]]:
    return {
        "chain": [(n, n + 1) for n in range(8)],
        "star": [(0, n) for n in range(1, 30)],
        "giants": [(0, n) for n in range(1, 25)] + [(100, n) for n in range(101, 125)] + [(24, 124)],
    }


def test_adversarial_graphs_are_resolved_alike(spark: SparkSession, save: Callable[[DataFrame], DataFrame]) -> None:
    rows = []
    for name, edges in graphs().items():
        for low, high in sorted({(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]}):
            ends = [f"{name}-{n:03d}" for n in (low, high)]
            rows.append((*(f"{'0' * 31}|{end}" for end in ends), *(f"g:{end}" for end in ends), low, high, 0.9))
    columns = (
        "first string, second string, first_group string, second_group string, first_since bigint, "
        "second_since bigint, similarity double"
    )
    similar = spark.createDataFrame(rows, columns)
    spark_way = resolve_on_spark(similar, save=save)
    driver_way = resolve_on_driver(pairs_of(similar.toArrow()))
    assert rows_of(spark_way, *driver_way.column_names) == {tuple(row.values()) for row in driver_way.to_pylist()}
    joined_to = {row[0]: row[1] for row in rows_of(spark_way, "second_group", "joined_group")}
    assert (joined_to["g:giants-124"], joined_to["g:chain-008"]) == ("g:giants-000", "g:chain-000")


def test_only_new_and_changed_texts_are_hashed(
    spark: SparkSession, stored: DataFrame, save: Callable[[DataFrame], DataFrame]
) -> None:
    rows = chats()
    edited = replace(rows[5], text=changed(rows[0].text, 10))
    grown = [*rows[:5], edited, *rows[6:], Chat("n-new", changed(rows[0].text, 60), "user:new", tokens=1)]
    # A stored signature that is not the text's own shows that it was read instead of made again.
    tampered = stored.withColumn(
        "bands", F.when(F.col("conversation_id") == "d-early", F.lit(bytes(21 * 8))).otherwise(F.col("bands"))
    )
    again = save(signed(docs(spark, grown), stored=tampered, config=CONFIG))
    assert {row[0] for row in rows_of(again.where("hashed"), "conversation_id")} == {"f-of-eve", "n-new"}
    found = near_duplicates(docs(spark, grown), again, config=CONFIG, save=save)
    removed = {name: kept for name, kept, _ in content(found)[1]}
    assert (found.facts["hashed"], found.facts["reused"]) == (2, found.facts["conversations"] - 2)
    assert {removed.get(name) for name in ("n-new", "f-of-eve", "c-late")} == {"b-longest"}
    assert "d-early" not in removed


def test_signatures_of_other_settings_are_not_used(spark: SparkSession, stored: DataFrame) -> None:
    loose = CONFIG.model_copy(update={"threshold": 0.6})
    again = signed(docs(spark, chats()[:3]), stored=stored, config=loose)
    assert rows_of(again, "hashed") == {(True,)}


def test_nothing_alike_gives_empty_frames(spark: SparkSession, save: Callable[[DataFrame], DataFrame]) -> None:
    rows = [Chat("a", prose("one"), "user:a"), Chat("b", prose("two"), "user:b")]
    fresh = save(signed(docs(spark, rows), stored=None, config=CONFIG))
    found = near_duplicates(docs(spark, rows), fresh, config=CONFIG, save=save)
    assert content(found) == (set(), set(), set())
    assert (found.facts["candidates"], found.facts["largest"]) == (0, 0)
