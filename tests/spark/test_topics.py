"""Topics on real Spark: the sample is bounded and fixed, the model survives its table, partitions change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from finelake.config.settings import Topics
from finelake.tables.contracts import checked
from finelake.tables.names import TOPICS, TableRef
from finelake.tables.reading import read_table
from finelake.tables.writing import overwrite
from finelake.topics.assign import assign_topics, draw_sample
from finelake.topics.fit import fit_topics
from finelake.topics.model import NO_TOPIC, TopicModel
from finelake.topics.store import model_frame, stored_model, topics_hash
from finelake.topics.summary import summarise, topic_counts

pytest.importorskip("sklearn", reason="scikit-learn is absent: pip install 'finelake[topics]'")

pytestmark = pytest.mark.spark

THEMES = {
    "flight": "book a flight from the airport with an airline ticket",
    "hotel": "reserve a hotel room with breakfast for two nights",
    "hotel_ja": "ホテルの部屋を予約したいです朝食付きで二泊",
    "music": "play the next song of this album by the singer",
}
CONFIG = Topics(enabled=True, count=4, sample=150, min_users=5, dimensions=8)
FIXED = topics_hash(CONFIG, vectors=None)


@pytest.fixture(scope="module")
def conversations(spark: SparkSession) -> DataFrame:
    """Two hundred conversations of four themes, fifty each, and one that says nothing in words."""
    rows = [
        (f"{theme}-{n}", f"{text} please number {n}", f"user {n}", THEMES_VECTOR[theme])
        for theme, text in THEMES.items()
        for n in range(50)
    ]
    rows.append(("silent", "12345 ...", "user x", [0.0, 0.0, 0.0, 0.0]))
    return spark.createDataFrame(
        rows, "conversation_id string, compared string, user_id string, vector array<float>"
    ).repartition(3)


THEMES_VECTOR = {theme: np.eye(4)[place].tolist() for place, theme in enumerate(THEMES)}


@pytest.fixture(scope="module")
def model(conversations: DataFrame) -> TopicModel:
    return fit_topics(draw_sample(conversations, config=CONFIG), config=CONFIG, config_hash=FIXED)


def test_every_theme_is_one_topic_whatever_the_partitions(conversations: DataFrame, model: TopicModel) -> None:
    found = assign_topics(conversations, model=model).collect()
    again = assign_topics(conversations.repartition(7), model=model).collect()
    assert sorted(found) == sorted(again)
    topics = {row["conversation_id"]: row["topic"] for row in found}
    by_theme = {theme: {topics[f"{theme}-{n}"] for n in range(50)} for theme in THEMES}
    assert all(len(each) == 1 for each in by_theme.values())
    assert len(set.union(*by_theme.values())) == len(THEMES)
    assert topics["silent"] == NO_TOPIC


def test_the_sample_is_bounded_and_the_same_on_every_run(conversations: DataFrame) -> None:
    first = draw_sample(conversations, config=CONFIG)
    second = draw_sample(conversations.repartition(5), config=CONFIG)
    assert len(first.texts) == CONFIG.sample
    assert first.texts == second.texts


def test_a_stored_model_assigns_as_the_fitted_one(
    spark: SparkSession, conversations: DataFrame, model: TopicModel, delta_folder: str
) -> None:
    table = TableRef(f"{delta_folder}/topics")
    overwrite(checked(model_frame(spark, model), TOPICS), table, run_id="test")
    rows = read_table(spark, table)
    stored = stored_model(rows, config_hash=FIXED)
    assert stored is not None
    assert stored.labels == model.labels
    fitted = assign_topics(conversations, model=model).collect()
    assert sorted(assign_topics(conversations, model=stored).collect()) == sorted(fitted)
    assert stored_model(rows, config_hash="another") is None


def test_vectors_may_take_the_place_of_terms(conversations: DataFrame) -> None:
    config = CONFIG.model_copy(update={"features": "embedding"})
    model = fit_topics(draw_sample(conversations, config=config), config=config, config_hash="v")
    topics = {row["conversation_id"]: row["topic"] for row in assign_topics(conversations, model=model).collect()}
    assert len({topics[f"{theme}-0"] for theme in THEMES}) == len(THEMES)
    assert topics["silent"] == NO_TOPIC


def test_the_summary_adds_up(conversations: DataFrame, model: TopicModel) -> None:
    examples = conversations.selectExpr("conversation_id", "'train' split", "10L trained_tokens")
    assigned = assign_topics(conversations, model=model)
    summary = summarise(topic_counts(examples.unionAll(examples), assigned, model=model).collect(), model=model)
    assert summary["conversations"] == 201
    assert sum(entry["conversations"] for entry in summary["topics"]) + summary["without_topic"] == 201
    assert sum(entry["trained_tokens"] for entry in summary["topics"]) == 4000
    assert summary["entropy"] == pytest.approx(1.0)
    assert summary["effective_topics"] == pytest.approx(4.0)
    assert 0.9 < summary["coverage"] <= 1.0
