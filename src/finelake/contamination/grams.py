"""Word n-grams of messages as 64-bit hashes, for whole Arrow batches at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from finelake.relate.tokens import STEP, Counts, Hashes, chunks, mix, normalised, token_hashes

# Told apart: the n-gram of a long message and the whole of a short one.
_WHOLE = np.uint64(0xA0761D6478BD642F)


@dataclass(frozen=True, slots=True)
class GramSize:
    """How many words an n-gram has, and how many a shorter message needs to be compared as a whole."""

    words: int
    min_words: int


@dataclass(frozen=True, slots=True)
class Grams:
    """N-grams of consecutive texts, in their order: hash, the text that owns it, its first word, its words."""

    hashes: Hashes
    owners: Counts
    starts: Counts
    words: Counts

    def take(self, chosen: npt.NDArray[np.bool_] | Counts) -> Grams:
        """Select n-grams by mask or position."""
        return Grams(self.hashes[chosen], self.owners[chosen], self.starts[chosen], self.words[chosen])


def grams_of(texts: pa.StringArray, *, size: GramSize) -> Grams:
    """Hash every n-gram of every text; a text of `min_words` to n - 1 words has one n-gram, the whole text."""
    found: list[Grams] = []
    first = 0
    for codes, offsets in chunks(normalised(texts)):
        owners, tokens = token_hashes(codes, offsets)
        counts = np.bincount(owners, minlength=len(offsets) - 1).astype(np.int64)
        found.append(_of_tokens(tokens, counts, size, first))
        first += len(offsets) - 1
    return _joined(found)


def _of_tokens(tokens: Hashes, counts: Counts, size: GramSize, first: int) -> Grams:
    begins = np.cumsum(counts) - counts
    long = np.flatnonzero(counts >= size.words)
    each = counts[long] - size.words + 1
    owners = np.repeat(long, each)
    starts = np.arange(len(owners)) - np.repeat(np.cumsum(each) - each, each)
    parts = [Grams(_hashed(tokens, begins[owners] + starts, size.words), owners, starts, _filled(owners, size.words))]
    for words in range(size.min_words, size.words):
        whole = np.flatnonzero(counts == words)
        hashes = _hashed(tokens, begins[whole], words) ^ _WHOLE
        parts.append(Grams(hashes, whole, _filled(whole, 0), _filled(whole, words)))
    found = _joined(parts)
    return Grams(found.hashes, found.owners + first, found.starts, found.words)


def _hashed(tokens: Hashes, places: Counts, words: int) -> Hashes:
    """Hash the runs of `words` tokens that begin at `places`."""
    runs = np.zeros(len(places), np.uint64)
    for step in range(words):
        runs *= STEP
        runs += tokens[places + step]
    return mix(runs)


def _filled(like: Counts, value: int) -> Counts:
    return np.full(len(like), value, np.int64)


def _joined(parts: list[Grams]) -> Grams:
    if not parts:
        nothing = np.empty(0, np.int64)
        return Grams(np.empty(0, np.uint64), nothing, nothing, nothing)
    return Grams(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.owners for part in parts]),
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.words for part in parts]),
    )


def distinct(hashes: Hashes, documents: Counts) -> Counts:
    """Give the position of one of the places of each hash and document."""
    order = np.lexsort((documents, hashes))
    return order[_first_of_each(hashes[order], documents[order])[1]]


def at_most(hashes: Hashes, documents: Counts, *, limit: int) -> npt.NDArray[np.bool_]:
    """Mark what has to be told of n-grams: in more than `limit` documents, only `limit + 1` of them.

    More than the limit is common whatever the exact number, so a phrase in every conversation costs no more than one
    in a few. All places in a chosen document are marked.
    """
    order = np.lexsort((documents, hashes))
    new_hash, new_document = _first_of_each(hashes[order], documents[order])
    number = np.cumsum(new_document)
    marked = np.empty(len(order), bool)
    marked[order] = number - number[new_hash][np.cumsum(new_hash) - 1] <= limit
    return marked


def _first_of_each(hashes: Hashes, documents: Counts) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Mark the first place of each hash, and of each hash and document, in sorted places."""
    begin = np.ones(min(len(hashes), 1), bool)
    new_hash = np.concatenate([begin, hashes[1:] != hashes[:-1]])
    return new_hash, new_hash | np.concatenate([begin, documents[1:] != documents[:-1]])
