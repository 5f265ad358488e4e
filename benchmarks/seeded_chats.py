"""Seeded six-turn chats with planted copies, personal data and defects, as one row a turn: the benchmarks' table.

A block of 10,000 chats depends on the seed and its number alone: a larger table begins with the smaller one's blocks.
Words are drawn by rank (weight 1 / (rank + 10)) from 30,000: common English ones first, then made-up syllables. A
turn has 20 to 37 words, a chat about 940 bytes, which is the size of the chats in the comparisons of duplicates.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TURNS = 6
BLOCK = 10_000
VOCABULARY = 30_000
SHORTEST, LONGEST = 20, 37
EXACT, NEAR, PERSONAL, GAPS = 0.05, 0.05, 0.02, 0.01
MOST_CHANGED_WORDS = 5
USERS_PER_CHAT = 0.25
FIRST_SECOND = 1_760_000_000
_COMMON = (
    "the to you and your is i a of it we for have can on that this in with be please if not my order are will as was "
    "from me our out thank would but or do at need there what when new now time help account how let know sorry get "
    "has been by an send card email so one could just see then may they also us more here any make day should number"
)

Words = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """A block of chats: word ranks and turn lengths in order, and for each chat the one it copies (-1: none).

    `changed` says how many words of a copy were drawn anew (0: an exact copy).
    """

    first: int
    words: Words
    lengths: Words
    source: Words
    changed: Words


def vocabulary() -> list[str]:
    """List the words by rank."""
    chosen = random.Random(0)
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    words = dict.fromkeys(_COMMON.split())
    while len(words) < VOCABULARY:
        words["".join(chosen.choices(syllables, k=chosen.randint(1, 4)))] = None
    return list(words)


def block(number: int, *, size: int, seed: int) -> Block:
    """Draw one block; only a chat that is no copy itself is copied."""
    drawn = np.random.default_rng([seed, number])
    lengths = drawn.integers(SHORTEST, LONGEST, size=(size, TURNS), endpoint=True)
    kind = drawn.random(size)
    kind[:100] = 1.0
    originals = np.flatnonzero(kind >= EXACT + NEAR)
    copies = np.flatnonzero(kind < EXACT + NEAR)
    earlier = np.searchsorted(originals, copies)
    source = np.full(size, -1)
    source[copies] = originals[(drawn.random(len(copies)) * earlier).astype(np.int64)]
    lengths[copies] = lengths[source[copies]]
    ends = np.cumsum(lengths.sum(axis=1))
    weights = np.cumsum(1 / (np.arange(VOCABULARY) + 10))
    words = np.searchsorted(weights, drawn.random(ends[-1]) * weights[-1])
    changed = np.zeros(size, dtype=np.int64)
    for copy in copies:
        start, origin, length = ends[copy - 1], source[copy], int(lengths[copy].sum())
        begin = ends[origin] - length
        fresh = words[start : start + length].copy()
        words[start : start + length] = words[begin : begin + length]
        if kind[copy] >= EXACT:
            changed[copy] = drawn.integers(1, MOST_CHANGED_WORDS, endpoint=True)
            places = start + drawn.choice(length, size=changed[copy], replace=False)
            words[places] = fresh[places - start]
    return Block(number * BLOCK, words, lengths.reshape(-1), source, changed)


def texts(made: Block, words: pa.Array) -> pa.Array:
    """Spell the turns of a block, one text a turn, turn by turn and chat by chat."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(made.lengths)]), pa.int32())
    return pc.binary_join(pa.ListArray.from_arrays(offsets, words.take(pa.array(made.words))), " ")


def turn_rows(made: Block, words: pa.Array, *, seed: int) -> pa.Table:
    """Give the rows of a block in the order of their time, as a log would hold them: chats run side by side.

    Columns: conversation_id, turn_index int, author, text, user_id, sent_at timestamp. In 2 % of the chats the user
    gives an e-mail address and a phone number, 1 % lack a turn in the middle.
    """
    size = len(made.source)
    drawn = np.random.default_rng([seed, made.first, 1])
    chat, index = np.repeat(np.arange(size), TURNS), np.tile(np.arange(TURNS), size)
    special = drawn.random(size)
    personal = (special[chat] < PERSONAL) & (index == 2) & (made.source[chat] < 0)
    number = made.first + chat
    contact = pa.array(
        [f" My e-mail is user{n}@mail{n % 50}.com, my phone +1 212 555 {n % 10_000:04d}." for n in number]
    )
    spelt = texts(made, words)
    spelt = pc.if_else(pa.array(personal), pc.binary_join_element_wise(spelt, contact, ""), spelt)
    began = drawn.integers(0, size * 10, size=size)
    seconds = FIRST_SECOND + made.first * 10 + began[chat] + index * 30
    users = drawn.integers(0, int(size / USERS_PER_CHAT), size=size)
    table = pa.table(
        {
            "conversation_id": pc.binary_join_element_wise(
                "chat-", pc.utf8_lpad(pc.cast(number, "string"), 9, "0"), ""
            ),
            "turn_index": pa.array(index, pa.int32()),
            "author": pa.array(["customer", "agent"]).take(pa.array(index % 2)),
            "text": spelt,
            "user_id": pc.binary_join_element_wise("user-", pc.cast(made.first * 10 + users[chat], "string"), ""),
            "sent_at": pa.array(seconds * 1_000_000, pa.timestamp("us", tz="UTC")),
        }
    )
    gap = (special[chat] >= 1 - GAPS) & (index == 2)
    return table.filter(pa.array(~gap)).sort_by("sent_at")


def blocks(count: int, *, seed: int) -> Iterator[Block]:
    """Draw the blocks of a table of `count` chats."""
    for number in range((count + BLOCK - 1) // BLOCK):
        yield block(number, size=min(BLOCK, count - number * BLOCK), seed=seed)


def write_turns(folder: Path, count: int, *, seed: int = 7) -> int:
    """Write `count` chats as Parquet files of turn rows, eight blocks a file, and give the bytes of their texts."""
    folder.mkdir(parents=True)
    words = pa.array(vocabulary())
    written = 0
    writer: pq.ParquetWriter | None = None
    for number, made in enumerate(blocks(count, seed=seed)):
        rows = turn_rows(made, words, seed=seed)
        written += int(pc.sum(pc.binary_length(rows["text"])).as_py())
        if number % 8 == 0:
            if writer:
                writer.close()
            writer = pq.ParquetWriter(folder / f"part-{number // 8:05d}.parquet", rows.schema)
        assert writer is not None
        writer.write_table(rows)
    if writer:
        writer.close()
    return written
