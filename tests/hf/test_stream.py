"""Examples as a stream: none lost, none doubled, resumed to the example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from torch.utils.data import DataLoader

from finelake.huggingface.order import Order
from finelake.huggingface.stream import Share, Stream

SIZES = (5, 1, 7, 3)
ROWS = sum(SIZES)


class Numbered:
    """Rows that are their own numbers; tells which groups were read."""

    groups: Sequence[int] = SIZES

    def __init__(self) -> None:
        self.asked: list[int] = []

    def read(self, group: int, wanted: Sequence[int]) -> list[dict[str, Any]]:
        self.asked.append(group)
        return [{"number": sum(SIZES[:group]) + row} for row in wanted]

    def name(self, group: int, row: int) -> str:
        return f"{group}/{row}"


def number(line: dict[str, Any]) -> int:
    return int(line["number"])


def stream(share: Share, *, epochs: int | None = 1, rows: Numbered | None = None, shuffle: int = 6) -> Stream:
    order = Order(SIZES, seed=3, shuffle_rows=shuffle)
    return Stream(rows or Numbered(), order, share=share, make=number, epochs=epochs)


@pytest.mark.parametrize("workers", [0, 2, 3])
@pytest.mark.parametrize("processes", [1, 2, 5])
def test_processes_and_workers_share_an_epoch_without_loss_or_doubling(processes: int, workers: int) -> None:
    seen: list[int] = []
    for rank in range(processes):
        share = Share(rank=rank, processes=processes, batch=2)
        loader = DataLoader(stream(share), batch_size=2, num_workers=workers, collate_fn=list)
        seen += [item for batch in loader for item in batch]
    assert Counter(seen) == Counter(range(ROWS))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_step_has_the_same_examples_however_many_processes_there_are(workers: int) -> None:
    alone = list(stream(Share(batch=4), epochs=2))
    steps = [set(alone[start : start + 4]) for start in range(0, len(alone), 4)]
    ranks = [
        list(
            DataLoader(
                stream(Share(rank=rank, processes=2, batch=2), epochs=2),
                batch_size=2,
                num_workers=workers,
                collate_fn=list,
            )
        )
        for rank in range(2)
    ]
    assert [set(first) | set(second) for first, second in zip(*ranks, strict=True)] == steps


def test_epochs_are_shuffled_differently_and_the_same_again() -> None:
    first, again = list(stream(Share(), epochs=3)), list(stream(Share(), epochs=3))
    epochs = [first[start : start + ROWS] for start in range(0, 3 * ROWS, ROWS)]
    assert first == again
    assert all(sorted(epoch) == list(range(ROWS)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("had", range(0, 17))
def test_a_resumed_stream_gives_exactly_what_is_left(had: int, rank: int) -> None:
    share = Share(rank=rank, processes=2, batch=3)
    whole = list(stream(share, epochs=2))
    first = stream(share, epochs=2)
    reader = iter(first)
    assert [next(reader) for _ in range(had)] == whole[:had]

    resumed = stream(share, epochs=2)
    resumed.load_state_dict(first.state_dict())

    assert list(resumed) == whole[had:]


@pytest.mark.parametrize("batches", [0, 1, 2, 3, 5])
def test_loader_workers_go_on_behind_a_number_of_batches(batches: int) -> None:
    def read(had: int) -> list[list[int]]:
        resumed = stream(Share(batch=3), epochs=2).at(examples=had * 3)
        return list(DataLoader(resumed, batch_size=3, num_workers=2, collate_fn=list))

    assert read(batches) == read(0)[batches:]


def test_workers_do_not_begin_inside_a_batch() -> None:
    loader = DataLoader(stream(Share(batch=3)).at(examples=2), batch_size=3, num_workers=2, collate_fn=list)
    with pytest.raises(ValueError, match="no whole number of batches"):
        list(loader)


def test_nothing_is_read_of_what_lies_before() -> None:
    rows = Numbered()
    resumed = stream(Share(), rows=rows, shuffle=1).at(examples=ROWS - 1)
    assert len(list(resumed)) == 1
    assert len(rows.asked) == 1


def test_excluded_rows_are_left_out_of_every_epoch() -> None:
    order = Order(SIZES, seed=3, shuffle_rows=6, excluded={0: [1, 4], 1: [0]})
    found = list(Stream(Numbered(), order, share=Share(), make=number, epochs=2))
    assert Counter(found) == Counter({n: 2 for n in range(ROWS) if n not in (1, 4, 5)})
