"""Shingles and Jaccard similarities against a plain reading of the definition, and MinHash against both."""

from __future__ import annotations

import random
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finelake.relate import tokens as module
from finelake.relate.bands import choose_banding
from finelake.relate.minhash import band_keys, signatures
from finelake.relate.shingles import shingle
from finelake.relate.verify import distinct_shingles, jaccard, jaccard_of_texts

PERMUTATIONS = 128


def oracle(text: str) -> set[tuple[str, ...]]:
    """The shingles of a text in Latin letters."""
    tokens = re.findall(r"[^\W_]+", text.lower())
    if len(tokens) < 5:
        return {("exact", text.lower())}
    padded = tokens if len(tokens) >= 50 else [""] * 4 + tokens + [""] * 4
    return {tuple(padded[n : n + 5]) for n in range(len(padded) - 4)}


def similarity(left: str, right: str) -> float:
    one, other = oracle(left), oracle(right)
    return len(one & other) / len(one | other)


def measured(left: list[str], right: list[str]) -> list[float]:
    found: list[float] = jaccard_of_texts(pa.array(left, pa.string()), pa.array(right, pa.string())).tolist()
    return found


words = st.lists(st.sampled_from(["ab", "Cd", "straße", "7", "née", "x1"]), max_size=12).map(" ".join)
punctuated = st.tuples(words, st.sampled_from(["", ".", "?!", "  ", "\n- "]), words).map("".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(punctuated, punctuated), min_size=1, max_size=8))
def test_the_similarity_is_that_of_the_sets(pairs: list[tuple[str, str]]) -> None:
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    assert measured(left, right) == [similarity(a, b) for a, b in pairs]


@pytest.mark.parametrize("length", [5, 48, 49, 50, 51, 120])
def test_lengths_around_the_borders_of_padding(length: int) -> None:
    tokens = [f"w{n}" for n in range(length)]
    changes = [" ".join(["x", *tokens[1:]]), " ".join([*tokens[:-1], "x"]), " ".join([*tokens, "x"])]
    text = " ".join(tokens)
    assert measured([text] * 3, changes) == [similarity(text, other) for other in changes]


def test_texts_do_not_depend_on_their_neighbours_or_on_where_a_batch_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "one two three four five six",
        "sechs fünf vier drei zwei eins",
        "",
        "ab",
        "東京都の天気を教えて",
        "a b c d e",
    ]
    alone = [sorted(shingle(pa.array([text])).hashes.tolist()) for text in texts]
    for chunk in (1, 40, 1 << 17):
        monkeypatch.setattr(module, "_CHUNK", chunk)
        together = shingle(pa.array(["before", *texts]).slice(1))
        parts = np.split(together.hashes, together.starts[1:-1])
        assert [sorted(part.tolist()) for part in parts] == alone


def test_a_null_is_an_empty_text() -> None:
    found = shingle(pa.array([None, "", "a b c d e"], pa.string()))
    assert found.sizes.tolist() == [1, 1, 9]
    assert found.hashes[0] == found.hashes[1]
    assert shingle(pa.array([], pa.string())).sizes.tolist() == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Yes.", "No."),
        ("👍", "👎"),
        ("?", "!"),
        ("12", "1 2"),
        ("ja", "はい"),
        ("注文4711はどこですか", "注文4712はどこですか"),
        ("สวัสดีครับวันนี้", "ขอบคุณมากครับวัน"),
        (
            "My parcel 4711 has not come yet, please help me find it.",
            "My parcel 4712 has not come yet, please help me find it.",
        ),
    ],
)
def test_short_texts_that_differ_are_not_alike(left: str, right: str) -> None:
    assert measured([left], [right])[0] < 0.8
    assert measured([left], [left]) == [1.0]


def test_case_and_punctuation_of_longer_texts_do_not_count() -> None:
    assert measured(["It is late, and I am TIRED now."], ["it is late and i am tired now"]) == [1.0]


def edited(chosen: random.Random, share: float) -> tuple[str, str]:
    tokens = [f"w{chosen.randrange(4000)}" for _ in range(chosen.randint(60, 200))]
    other = [f"x{chosen.randrange(4000)}" if chosen.random() < share else token for token in tokens]
    return " ".join(tokens), " ".join(other)


def test_signatures_estimate_the_similarity() -> None:
    chosen = random.Random(11)
    pairs = [edited(chosen, chosen.choice([0.01, 0.05, 0.1, 0.3])) for _ in range(400)]
    left, right = pa.array([a for a, _ in pairs]), pa.array([b for _, b in pairs])
    one, other = (signatures(shingle(texts), permutations=PERMUTATIONS) for texts in (left, right))
    estimate, true = (one == other).mean(axis=0), jaccard_of_texts(left, right)
    # The standard error of one estimate is at most 0.5 / sqrt(128) = 0.044, that of the mean of 400 a twentieth.
    assert abs((estimate - true).mean()) < 0.008
    assert np.sqrt(((estimate - true) ** 2).mean()) < 0.044


def test_bands_collide_as_often_as_the_curve_says() -> None:
    banding = choose_banding(threshold=0.8, permutations=PERMUTATIONS)
    chosen = random.Random(12)
    pairs = [edited(chosen, 0.055) for _ in range(1500)]
    left, right = pa.array([a for a, _ in pairs]), pa.array([b for _, b in pairs])
    one, other = (
        band_keys(signatures(shingle(texts), permutations=PERMUTATIONS), banding=banding) for texts in (left, right)
    )
    found = (one == other).any(axis=1).mean()
    expected = np.mean([banding.found(value) for value in jaccard_of_texts(left, right)])
    assert found == pytest.approx(expected, abs=0.04)
    assert not np.isin(one[:, 0], one[:, 1]).any(), "keys of different bands never meet"


def test_sets_may_be_measured_in_any_order_and_often() -> None:
    texts = ["a b c d e f g", "a b c d e f h", "", "a b c d e f g"]
    sets = distinct_shingles(shingle(pa.array(texts)))
    left, right = np.array([0, 3, 1, 0, 2]), np.array([1, 0, 1, 2, 3])
    expected = [similarity(texts[a], texts[b]) for a, b in zip(left, right, strict=True)]
    assert jaccard(sets, left, right).tolist() == expected


def test_repeated_shingles_count_once() -> None:
    assert measured(["a b c d e " * 30], ["a b c d e " * 60]) == [1.0]
