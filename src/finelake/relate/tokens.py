"""Tokens of normalised text as 64-bit hashes, computed for whole Arrow batches at once.

A token is a run of letters, digits and marks; in scripts without spaces (Chinese, Japanese, Thai, ...) and for symbols
such as emoji it is one character. Letter case, compatibility forms and punctuation do not count.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
CodePoints = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

# Characters hashed at a time: the working arrays (8 bytes a character) then stay in the processor's cache.
_CHUNK = 1 << 16

_SEPARATOR, _RUN, _SINGLE = 0, 1, 2
_BASE, STEP = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)

# Unicode blocks of scripts that do not put spaces between words.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK radicals
    (0x3040, 0x31FF),  # Hiragana, Katakana, Bopomofo
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
)


def mix(values: Hashes) -> Hashes:
    """Scramble 64-bit values (the finaliser of splitmix64, Steele, Lea and Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def normalised(texts: pa.StringArray) -> pa.StringArray:
    """Lower-case and NFKC, a null as an empty text; letter case folds as far as Arrow's `utf8_lower` does."""
    if pc.all(pc.string_is_ascii(texts)).as_py() in (True, None):
        return pc.fill_null(pc.ascii_lower(texts), "")
    return pc.fill_null(pc.utf8_normalize(pc.utf8_lower(pc.utf8_normalize(texts, "NFKC")), "NFKC"), "")


def chunks(texts: pa.StringArray) -> Iterator[tuple[CodePoints, Counts]]:
    """Cut texts into slices of about `_CHUNK` bytes: code points, and the offset of each text in them."""
    if not len(texts):
        return
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, places, data = texts.buffers()
    first = texts.offset
    offsets = np.frombuffer(places, kind)[first : first + len(texts) + 1].astype(np.int64)
    content = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
    begin = 0
    while begin < len(texts):
        end = int(np.searchsorted(offsets, offsets[begin] + _CHUNK, side="right")) - 1
        end = min(max(end, begin + 1), len(texts))
        part = content[offsets[begin] : offsets[end]]
        yield _code_points(part, offsets[begin : end + 1] - offsets[begin])
        begin = end


def token_hashes(codes: CodePoints, offsets: Counts) -> tuple[Counts, Hashes]:
    """Give the text that owns each token, and the token's hash."""
    part, begins, numbers = _of_ascii(codes) if codes.dtype == np.uint8 else _of_unicode(codes)
    # A run does not go on from one text to the next.
    edges = offsets[1:-1]
    edges = edges[edges < len(codes)]
    begins[edges] = part[edges]
    places = np.flatnonzero(begins)
    if not len(places):
        return np.empty(0, np.int64), np.empty(0, np.uint64)
    weighted = numbers * powers(len(codes))
    sums = np.add.reduceat(weighted, places)
    sums *= inverse_powers(len(codes))[places]
    owner = np.searchsorted(offsets, places, side="right") - 1
    return owner, mix(sums)


def _of_ascii(codes: CodePoints) -> tuple[Mask, Mask, Hashes]:
    """Tell which characters are part of a token and which begin one, and give their numbers, 0 for separators."""
    part = _ascii_parts()[codes]
    begins = part.copy()
    np.greater(part[1:], part[:-1], out=begins[1:])
    return part, begins, _ascii_token_numbers()[codes]


def _of_unicode(codes: CodePoints) -> tuple[Mask, Mask, Hashes]:
    """Do the same for any text, in which a character may be a token of its own."""
    kinds = _character_kinds()[np.minimum(codes, 0xFFFF)]
    part = kinds != _SEPARATOR
    begins = part.copy()
    begins[1:] &= (kinds[1:] != _RUN) | (kinds[:-1] != _RUN)
    return part, begins, np.where(part, spread(codes), np.uint64(0))


def spread(codes: CodePoints) -> Hashes:
    """Give each character a random 64-bit number, so that sums of them collide no more than random numbers do."""
    if codes.dtype == np.uint8:
        numbers: Hashes = _ascii_numbers()[codes]
        return numbers
    return mix((codes.astype(np.uint64) + np.uint64(1)) * _BASE)


def powers(count: int) -> Hashes:
    """The powers 0 to count - 1 of an odd number modulo 2**64."""
    return _power_table(STEP, _table_size(count))[:count]


def inverse_powers(count: int) -> Hashes:
    """The powers 0 to count - 1 of that number's inverse modulo 2**64."""
    return _power_table(np.uint64(pow(int(STEP), -1, 1 << 64)), _table_size(count))[:count]


def _code_points(part: npt.NDArray[np.uint8], offsets: Counts) -> tuple[CodePoints, Counts]:
    if not part.size or part.max() < 0x80:
        return part, offsets
    # A byte that is not a continuation byte begins a character.
    characters = np.concatenate([np.zeros(1, np.int64), np.cumsum((part & 0xC0) != 0x80)])
    codes = np.frombuffer(part.tobytes().decode("utf-8").encode("utf-32-le"), np.uint32)
    return codes, characters[offsets]


@lru_cache(maxsize=1)
def _ascii_numbers() -> Hashes:
    return mix((np.arange(256, dtype=np.uint64) + np.uint64(1)) * _BASE)


@lru_cache(maxsize=1)
def _ascii_parts() -> Mask:
    # No ASCII character is a token of its own.
    part: Mask = _character_kinds()[:256] == _RUN
    return part


@lru_cache(maxsize=1)
def _ascii_token_numbers() -> Hashes:
    return np.where(_ascii_parts(), _ascii_numbers(), np.uint64(0))


def _table_size(count: int) -> int:
    return max(_CHUNK * 2, 1 << max(count - 1, 1).bit_length())


@lru_cache(maxsize=4)
def _power_table(base: np.uint64, size: int) -> Hashes:
    table = np.full(size, base, np.uint64)
    table[0] = 1
    return np.multiply.accumulate(table)


@lru_cache(maxsize=1)
def _character_kinds() -> npt.NDArray[np.uint8]:
    """Tell for each code point of the basic plane what it is in a token; the last one stands for the other planes.

    The other planes hold emoji and rare ideographs: each a token of its own.
    """
    kinds = np.zeros(0x10000, np.uint8)
    for code in range(0x10000):
        letter = unicodedata.category(chr(code))[0]
        kinds[code] = _RUN if letter in "LNM" else _SINGLE if letter == "S" else _SEPARATOR
    for low, high in _UNSPACED:
        block = kinds[low : high + 1]
        block[block == _RUN] = _SINGLE
    # ASCII symbols ($ + < = > ^ ` | ~) are markup more often than meaning.
    ascii_part = kinds[:0x80]
    ascii_part[ascii_part == _SINGLE] = _SEPARATOR
    kinds[0xFFFF] = _SINGLE
    return kinds
