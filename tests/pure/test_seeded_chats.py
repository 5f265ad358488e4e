"""The chats of the benchmarks: the same for a seed, the smaller table a part of the larger, copies as planted."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from seeded_chats import BLOCK, TURNS, block, blocks, texts, vocabulary, write_turns


def chats_of(size: int, *, seed: int = 7) -> tuple[list[tuple[str, ...]], list[int], list[int]]:
    """Spell a block: the turns of each chat, which chat it copies, and how many words were drawn anew."""
    made = block(0, size=size, seed=seed)
    turns = texts(made, pa.array(vocabulary())).to_pylist()
    spelt = [tuple(turns[n : n + TURNS]) for n in range(0, len(turns), TURNS)]
    return spelt, made.source.tolist(), made.changed.tolist()


def test_exact_copies_are_exact_and_near_ones_differ_in_as_many_words_as_said() -> None:
    spelt, source, changed = chats_of(2_000)
    copies = [n for n, origin in enumerate(source) if origin >= 0]
    assert 0.06 < len(copies) / len(spelt) < 0.14
    for n in copies:
        words, original = (" ".join(spelt[chat]).split() for chat in (n, source[n]))
        assert source[source[n]] == -1
        assert len(words) == len(original)
        assert sum(word != other for word, other in zip(words, original, strict=True)) <= changed[n]
        assert changed[n] > 0 or spelt[n] == spelt[source[n]]
    assert {0, 1, 5} <= {changed[n] for n in copies}


def test_another_seed_gives_other_chats_and_the_same_seed_the_same() -> None:
    assert chats_of(50) == chats_of(50)
    assert chats_of(50)[0] != chats_of(50, seed=8)[0]


def test_whole_blocks_do_not_depend_on_how_many_follow() -> None:
    one, *_ = blocks(BLOCK, seed=7)
    first, second = blocks(BLOCK + 5, seed=7)
    assert (one.words == first.words).all()
    assert (second.first, len(second.source)) == (BLOCK, 5)


def test_rows_lie_in_the_order_of_their_time_and_some_chats_lack_a_turn(tmp_path: Path) -> None:
    written = write_turns(tmp_path / "turns", 2_000)
    rows = pq.read_table(tmp_path / "turns")
    assert rows["sent_at"].to_pylist() == sorted(rows["sent_at"].to_pylist())
    assert written == sum(len(text) for text in rows["text"].to_pylist())
    lengths = rows.group_by("conversation_id").aggregate([("turn_index", "count")])["turn_index_count"].to_pylist()
    assert len(lengths) == 2_000
    assert set(lengths) == {TURNS - 1, TURNS}
    assert sum("@mail" in text for text in rows["text"].to_pylist()) > 10
