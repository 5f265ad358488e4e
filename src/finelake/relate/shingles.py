"""Shingles of normalised text as 64-bit hashes, computed for whole Arrow batches at once.

A token is a run of letters, digits and marks; in scripts without spaces (Chinese, Japanese, Thai, ...) and for symbols
such as emoji it is one character. A shingle is five neighbouring tokens. A short text is padded on both sides, so that
each of its tokens is part of five shingles: without that, short texts that differ in their first or last word alone
would look alike. A text of fewer than five tokens has one shingle, the exact text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from finelake.relate.tokens import (
    STEP,
    CodePoints,
    Counts,
    Hashes,
    chunks,
    inverse_powers,
    mix,
    normalised,
    powers,
    spread,
    token_hashes,
)

SHINGLE_TOKENS = 5
SHORT_TOKENS = 50
"""Texts of fewer tokens are padded; the first or last word of a longer one is too little to tell two apart."""
_PAD = np.uint64(0xA0761D6478BD642F)
_EXACT = np.uint64(0xE7037ED1A0B428DB)


@dataclass(frozen=True, slots=True)
class ShingleSets:
    """Shingle hashes of consecutive texts; text i owns `hashes[starts[i]:starts[i + 1]]`, at least one, unsorted."""

    hashes: Hashes
    starts: Counts

    @property
    def sizes(self) -> Counts:
        """Shingles a text, repeated ones counted again."""
        return np.diff(self.starts)


def shingle(texts: pa.StringArray) -> ShingleSets:
    """Hash the shingles of every text; a null counts as an empty text."""
    parts = [_shingle_chunk(codes, offsets) for codes, offsets in chunks(normalised(texts))]
    if not parts:
        return ShingleSets(np.empty(0, np.uint64), np.zeros(1, np.int64))
    sizes = np.concatenate([part.sizes for part in parts])
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return ShingleSets(np.concatenate([part.hashes for part in parts]), starts)


def _shingle_chunk(codes: CodePoints, offsets: Counts) -> ShingleSets:
    texts = len(offsets) - 1
    owner, tokens = token_hashes(codes, offsets)
    counts = np.bincount(owner, minlength=texts).astype(np.int64)
    short = counts < SHINGLE_TOKENS
    pad = SHINGLE_TOKENS - 1
    bare = counts >= SHORT_TOKENS
    sizes = np.where(short, 1, np.where(bare, counts - pad, counts + pad))
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    # Between two texts stand enough padding tokens for the last shingles of one and the first of the next.
    places = np.arange(len(tokens)) + pad * (owner + 1)
    padded = np.full(len(tokens) + pad * (texts + 1), _PAD, np.uint64)
    padded[places] = tokens
    windows = padded[: len(padded) - pad].copy()
    for step in range(1, SHINGLE_TOKENS):
        windows *= STEP
        windows += padded[step : len(padded) - pad + step]
    hashes = mix(windows)
    begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts + pad)[:-1]]) + bare * pad
    wanted = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes) + np.repeat(begins, sizes)
    chosen = hashes[np.minimum(wanted, len(hashes) - 1)]
    if short.any():
        chosen[starts[:-1][short]] = _exact(codes, offsets)[short]
    return ShingleSets(chosen, starts)


def _exact(codes: CodePoints, offsets: Counts) -> Hashes:
    """Hash every text as it is, white space and punctuation included."""
    weighted = spread(codes) * powers(len(codes))
    totals = np.concatenate([np.zeros(1, np.uint64), np.cumsum(weighted)])
    sums = totals[offsets[1:]] - totals[offsets[:-1]]
    return mix(sums * inverse_powers(len(codes) + 1)[offsets[:-1]] + _EXACT)
