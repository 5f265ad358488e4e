"""The true Jaccard similarity of candidate pairs, for whole batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from finelake.relate.shingles import ShingleSets, shingle
from finelake.relate.tokens import Counts, Hashes

# A pair's number takes the upper 16 bits of a sort key, its shingle hash the other 48: a false match among ten
# thousand shingles has a chance of one in three million.
_HASH_BITS = np.uint64(48)
_PAIRS = 1 << 12

Similarities = npt.NDArray[np.float64]


def jaccard_of_texts(left: pa.StringArray, right: pa.StringArray) -> Similarities:
    """Give the Jaccard similarity of the shingle sets of left[i] and right[i], each in [0, 1]."""
    coded = pa.concat_arrays([left, right]).dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return jaccard(distinct_shingles(shingle(coded.dictionary)), codes[: len(left)], codes[len(left) :])


def jaccard(sets: ShingleSets, left: Counts, right: Counts) -> Similarities:
    """Give the Jaccard similarity of sets left[i] and right[i], from what `distinct_shingles` gave."""
    parts = [
        _jaccard(sets, left[begin : begin + _PAIRS], right[begin : begin + _PAIRS])
        for begin in range(0, len(left), _PAIRS)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.float64)


def distinct_shingles(sets: ShingleSets) -> ShingleSets:
    """Shorten the hashes to 48 bits, sort them and leave out repetitions, text by text."""
    texts, parts, sizes = len(sets.starts) - 1, [], [np.zeros(1, np.int64)]
    for begin in range(0, texts, 1 << 16):
        end = min(begin + (1 << 16), texts)
        hashes = sets.hashes[sets.starts[begin] : sets.starts[end]]
        numbers = np.repeat(np.arange(end - begin, dtype=np.uint64), sets.sizes[begin:end])
        keys = np.sort((numbers << _HASH_BITS) | (hashes >> (np.uint64(64) - _HASH_BITS)))
        keys = keys[np.concatenate([np.ones(min(len(keys), 1), bool), keys[1:] != keys[:-1]])]
        parts.append(keys & ((np.uint64(1) << _HASH_BITS) - np.uint64(1)))
        sizes.append(_counts(keys, end - begin))
    return ShingleSets(np.concatenate([np.empty(0, np.uint64), *parts]), np.cumsum(np.concatenate(sizes)))


def _jaccard(sets: ShingleSets, left: Counts, right: Counts) -> Similarities:
    one, other = _keys(sets, left), _keys(sets, right)
    keys = np.sort(np.concatenate([one, other]))
    both = _counts(keys[1:][keys[1:] == keys[:-1]], len(left))
    similarities: Similarities = both / (sets.sizes[left] + sets.sizes[right] - both)
    return similarities


def _keys(sets: ShingleSets, chosen: Counts) -> Hashes:
    sizes = sets.sizes[chosen]
    ends = np.cumsum(sizes)
    places = np.arange(int(sizes.sum())) + np.repeat(sets.starts[:-1][chosen] - (ends - sizes), sizes)
    numbers = np.repeat(np.arange(len(chosen), dtype=np.uint64), sizes)
    keys: Hashes = (numbers << _HASH_BITS) | sets.hashes[places]
    return keys


def _counts(keys: Hashes, texts: int) -> Counts:
    return np.bincount((keys >> _HASH_BITS).astype(np.int64), minlength=texts)
