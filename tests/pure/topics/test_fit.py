"""Fitting: the same bits again, readable labels without what only one user says, and samples that give nothing."""

from __future__ import annotations

import numpy as np
import pytest

from finelake.config.settings import Topics
from finelake.topics.fit import Sample, fit_topics
from finelake.topics.model import NO_TOPIC, Assigner
from finelake.topics.summary import summarise

pytest.importorskip("sklearn", reason="scikit-learn is absent: pip install 'finelake[topics]'")

CONFIG = Topics(count=3, min_users=5, dimensions=6)
THEMES = ["open the bank account and the balance", "repair my bicycle wheel and the brake", "das wetter morgen in köln"]


def sample(*, secret: str = "") -> Sample:
    texts = [
        f"{theme} {secret if n < 30 and place == 0 else ''}" for place, theme in enumerate(THEMES) for n in range(40)
    ]
    users = [None if place else ("talkative" if n < 30 else f"user {n}") for place in range(3) for n in range(40)]
    return Sample(texts, users)


def test_the_same_sample_gives_the_same_bits() -> None:
    first = fit_topics(sample(), config=CONFIG, config_hash="x")
    second = fit_topics(sample(), config=CONFIG, config_hash="x")
    assert first.labels == second.labels
    assert first.centroids.tobytes() == second.centroids.tobytes()
    assert first.projection.tobytes() == second.projection.tobytes()


def test_a_word_of_one_user_is_neither_in_the_model_nor_in_a_label() -> None:
    model = fit_topics(sample(secret="johnsonville"), config=CONFIG, config_hash="x")
    assert "johnsonville" not in model.vocabulary
    assert "johnsonville" not in " ".join(model.labels)
    assert any("bicycle" in label for label in model.labels)


def test_topics_stand_in_the_order_of_their_size() -> None:
    texts = [THEMES[0]] * 60 + [THEMES[1]] * 40 + [THEMES[2]] * 20
    model = fit_topics(Sample(texts, [None] * 120), config=CONFIG, config_hash="x")
    assert model.sizes == (60, 40, 20)


def test_a_batch_assigns_as_single_rows_do() -> None:
    model = fit_topics(sample(), config=CONFIG, config_hash="x")
    texts = [*THEMES, "balance", None, "", "0815", "wetter wetter bank"]
    together = Assigner(model).texts(texts)
    alone = [Assigner(model).texts([text]) for text in texts]
    assert together.topic.tolist() == [int(each.topic[0]) for each in alone]
    assert together.similarity.tolist() == [float(each.similarity[0]) for each in alone]
    assert together.topic[4:7].tolist() == [NO_TOPIC] * 3


@pytest.mark.parametrize(
    "texts", [[], [""] * 20, ["0815"] * 20, [f"word{'abcdefghijklmnopqrst'[n]}" for n in range(20)]]
)
def test_a_sample_without_shared_terms_gives_no_topics(texts: list[str]) -> None:
    model = fit_topics(Sample(texts, [None] * len(texts)), config=CONFIG, config_hash="x")
    assert model.count == 0
    assert Assigner(model).texts(["balance"]).topic.tolist() == [NO_TOPIC]
    assert summarise([], model=model)["entropy"] == 0.0


def test_one_term_is_enough_for_one_topic() -> None:
    model = fit_topics(Sample(["tea"] * 15 + ["0815"] * 20, [None] * 35), config=CONFIG, config_hash="x")
    assert model.labels == ("tea",) or model.labels == ("topic 0",)
    assert Assigner(model).texts(["tea"]).topic.tolist() == [0]


def test_vectors_that_are_zero_or_not_numbers_have_no_topic() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    bad = np.array([[0, 0, 0], [np.nan, 1, 0]], np.float32)
    model = fit_topics(Sample(["tea"] * 62, [None] * 62, np.vstack([rows, bad])), config=CONFIG, config_hash="x")
    assert model.count == 3
    found = Assigner(model).vectors(np.vstack([rows[::20] * 7, bad]))
    assert sorted(found.topic[:3].tolist()) == [0, 1, 2]
    assert found.topic[3:].tolist() == [NO_TOPIC] * 2
    assert found.similarity[:3].tolist() == [1.0, 1.0, 1.0]
