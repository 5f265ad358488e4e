"""N-grams against a plain search for equal words, and the bounds that keep common phrases from costing anything."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finelake.contamination.bloom import bloom_of, merge, segments_of
from finelake.contamination.grams import GramSize, at_most, grams_of
from finelake.evaluation.words import UnicodeWords

THREE = GramSize(words=3, min_words=2)
WORDS = st.sampled_from(["red", "Blue", "GREEN", "äpfel", "東", "京", "7", "don", "🙂"])
TEXTS = st.lists(st.lists(WORDS, max_size=9).map(" ".join), min_size=1, max_size=12)


def expected(text: str, size: GramSize) -> list[tuple[int, tuple[str, ...]]]:
    """List (first word, words) of a text's n-grams by plain slicing."""
    words = text.casefold().replace("東京", "東 京").split()
    if len(words) < size.words:
        return [(0, (*words, "whole"))] if len(words) >= size.min_words else []
    return [(at, tuple(words[at : at + size.words])) for at in range(len(words) - size.words + 1)]


@settings(deadline=None)
@given(TEXTS)
def test_equal_hashes_are_equal_words(texts: list[str]) -> None:
    found = grams_of(pa.array(texts), size=THREE)
    places = list(zip(found.owners.tolist(), found.starts.tolist(), strict=True))
    plain = {(owner, start): words for owner, text in enumerate(texts) for start, words in expected(text, THREE)}
    assert len(places) == len(plain)
    assert set(places) == set(plain)
    by_hash: dict[int, tuple[str, ...]] = {}
    for place, value in zip(places, found.hashes.tolist(), strict=True):
        assert by_hash.setdefault(value, plain[place]) == plain[place]
    assert len(by_hash) == len(set(plain.values()))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Where is my order, please?", "where IS my order please"),
        ("\uff37here is my order please", "where is my order please"),
        ("where - is\n\nmy\torder *please*", "where is my order please"),
    ],
)
def test_case_punctuation_and_compatibility_forms_do_not_count(left: str, right: str) -> None:
    both = grams_of(pa.array([left, right]), size=GramSize(words=5, min_words=5))
    assert both.hashes[0] == both.hashes[1]
    assert UnicodeWords().tokenize(left) == UnicodeWords().tokenize(right)


def test_a_short_message_matches_a_whole_one_only() -> None:
    found = grams_of(pa.array(["where is it", "so where is it now my friend"]), size=GramSize(words=4, min_words=3))
    assert set(found.hashes[found.owners == 0]).isdisjoint(found.hashes[found.owners == 1])
    assert found.words[found.owners == 0].tolist() == [3]


def test_unspaced_scripts_are_compared_by_character() -> None:
    size = GramSize(words=13, min_words=5)
    found = grams_of(
        pa.array(["请问北京首都机场附近有没有便宜的酒店", "你好 请问北京首都机场附近有没有便宜的餐馆"]), size=size
    )
    assert set(found.hashes[found.owners == 0]) & set(found.hashes[found.owners == 1])


def test_null_and_empty_texts_have_none() -> None:
    assert len(grams_of(pa.array([None, "", " ... "], pa.string()), size=THREE).hashes) == 0
    assert len(grams_of(pa.array([], pa.string()), size=THREE).hashes) == 0


def test_a_phrase_in_every_document_is_told_a_few_times() -> None:
    hashes = np.concatenate([np.full(1_000, 7, np.uint64), np.array([1, 2, 2], np.uint64)])
    documents = np.concatenate([np.arange(1_000), [0, 5, 5]])
    marked = at_most(hashes, documents, limit=10)
    assert len(np.unique(documents[marked & (hashes == 7)])) == 11
    assert marked[-3:].all()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=60), st.integers(1, 4))
def test_telling_less_never_hides_how_common_a_phrase_is(rows: list[tuple[int, int]], limit: int) -> None:
    hashes = np.array([row[0] for row in rows], np.uint64)
    documents = np.array([row[1] for row in rows], np.int64)
    marked = at_most(hashes, documents, limit=limit)
    for value in set(hashes.tolist()):
        here = hashes == value
        true, told = len(np.unique(documents[here])), len(np.unique(documents[here & marked]))
        assert told == min(true, limit + 1)
        if true <= limit:
            assert marked[here].all()


@pytest.mark.parametrize("count", [0, 1, 1_000, 60_000])
def test_a_filter_holds_what_it_was_given_and_little_else(count: int) -> None:
    values = np.random.default_rng(3).integers(0, 2**64, count + 50_000, dtype=np.uint64)
    held: dict[int, np.ndarray] = {}
    for part in np.array_split(values[:count], 3):
        for number, bits in segments_of(part).items() if len(part) else ():
            merge(held, number, bits)
    bloom = bloom_of((number, bits.tobytes()) for number, bits in held.items())
    assert bloom.may_hold(values[:count]).all()
    assert bloom.may_hold(values[count:]).mean() < 0.005
    assert len(bloom.bits) <= max(8, 64 * 2 * count // 2)
