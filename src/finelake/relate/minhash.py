"""MinHash signatures (Broder 1997) for whole batches of shingle sets, with multiply-shift permutations.

The permutations work on the upper half of the 64-bit shingle hashes: 32-bit products are what processors multiply
fastest. Candidates are verified on the whole hashes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from finelake.relate.bands import Banding
from finelake.relate.shingles import ShingleSets
from finelake.relate.tokens import Hashes, mix

Signatures = npt.NDArray[np.uint32]

_SEED = np.uint64(0x2545F4914F6CDD1D)
_STEP = np.uint64(0x9FB21C651E98DF25)
# Shingles permuted at a time, so that a permuted block stays in the processor's cache.
_BLOCK = 1 << 15


def signatures(sets: ShingleSets, *, permutations: int) -> Signatures:
    """Give the smallest permuted hash of each text and permutation, shape (permutations, texts)."""
    texts = len(sets.starts) - 1
    result = np.empty((permutations, texts), np.uint32)
    values = (sets.hashes >> np.uint64(32)).astype(np.uint32)
    factors = _factors(permutations)
    begin = 0
    while begin < texts:
        end = int(np.searchsorted(sets.starts, sets.starts[begin] + _BLOCK, side="right")) - 1
        end = min(max(end, begin + 1), texts)
        block = values[sets.starts[begin] : sets.starts[end]]
        starts = sets.starts[begin:end] - sets.starts[begin]
        permuted = np.empty_like(block)
        for number, factor in enumerate(factors):
            np.multiply(block, factor, out=permuted)
            np.minimum.reduceat(permuted, starts, out=result[number, begin:end])
        begin = end
    return result


def band_keys(found: Signatures, *, banding: Banding) -> npt.NDArray[np.int64]:
    """Hash each band of the signatures, shape (texts, bands); equal keys mean equal bands, different bands differ."""
    keys = np.empty((found.shape[1], banding.bands), np.uint64)
    for band, seed in enumerate(mix(np.arange(1, banding.bands + 1, dtype=np.uint64))):
        key = np.full(found.shape[1], seed, np.uint64)
        for row in range(band * banding.rows, (band + 1) * banding.rows):
            key = (key ^ found[row]) * _STEP
            key ^= key >> np.uint64(29)
        keys[:, band] = mix(key)
    return keys.view(np.int64)


def _factors(count: int) -> npt.NDArray[np.uint32]:
    """Give odd factors: multiplying by one modulo 2**32 is a permutation."""
    numbers: Hashes = mix(np.arange(1, count + 1, dtype=np.uint64) * _SEED)
    return (numbers >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
