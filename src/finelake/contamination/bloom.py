"""A Bloom filter of 64-bit hashes, kept in segments so that many tasks can build it together.

Bloom (1970), with two bits a hash. A filter answers `maybe` for what it does not hold, never `no` for what it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finelake.relate.tokens import Hashes

Bits = npt.NDArray[np.uint8]

FULL_BITS = 27
"""A filter is built with 2**27 bits, 16 MiB: at 20 million hashes one in twelve unknown ones passes."""
SEGMENT_BITS = 19
SEGMENTS = 1 << (FULL_BITS - SEGMENT_BITS)
_BYTE_BITS = 3
# A filter may be folded to half its size while at most one bit in this many is set.
_SPARSE = 64
_SET_BITS = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


@dataclass(frozen=True, slots=True)
class Bloom:
    """A filter of `8 * len(bits)` bits, a power of two."""

    bits: Bits

    def may_hold(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Say of each hash whether it may be in the filter."""
        found = np.ones(len(hashes), bool)
        for places in _places(hashes):
            places &= np.uint64(8 * len(self.bits) - 1)
            found &= (self.bits[places >> np.uint64(_BYTE_BITS)] >> (places & np.uint64(7)).astype(np.uint8)) & 1 == 1
        return found


def segments_of(hashes: Hashes) -> dict[int, Bits]:
    """Build the segments (64 KiB each, by number) that hashes set a bit in."""
    places = np.sort(np.concatenate(_places(hashes)) & np.uint64((1 << FULL_BITS) - 1))
    borders = np.searchsorted(places >> np.uint64(SEGMENT_BITS), np.arange(SEGMENTS + 1, dtype=np.uint64))
    inside = (places & np.uint64((1 << SEGMENT_BITS) - 1)).astype(np.int64)
    held: dict[int, Bits] = {}
    for number in np.flatnonzero(np.diff(borders)).tolist():
        flags = np.zeros(1 << SEGMENT_BITS, bool)
        flags[inside[borders[number] : borders[number + 1]]] = True
        held[number] = np.packbits(flags, bitorder="little")
    return held


def merge(into: dict[int, Bits], number: int, bits: Bits) -> None:
    """Add a segment to others."""
    known = into.get(number)
    into[number] = bits if known is None else known | bits


def bloom_of(segments: Iterable[tuple[int, bytes]]) -> Bloom:
    """Put a filter together and fold it as small as its hashes allow."""
    size = 1 << (SEGMENT_BITS - _BYTE_BITS)
    bits = np.zeros(SEGMENTS * size, np.uint8)
    for number, content in segments:
        bits[number * size : (number + 1) * size] |= np.frombuffer(content, np.uint8)
    while len(bits) > 8 and int(_SET_BITS[bits].sum(dtype=np.int64)) * _SPARSE <= 8 * len(bits):
        bits = bits[: len(bits) // 2] | bits[len(bits) // 2 :]
    return Bloom(bits)


def _places(hashes: Hashes) -> list[Hashes]:
    return [hashes.copy(), hashes >> np.uint64(32)]
