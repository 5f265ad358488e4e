"""Examples as a stream: in a fixed order, split by process and loader worker, resumed where it stopped.

All processes read the same order and take their places in it: of each batch over all processes, process r has the
places r, r + processes, ... So a step learns from the same examples however many processes there are, none is lost and
none is doubled, also with fewer shards than processes. The price: every process reads every group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from finelake.huggingface.order import Ints, Order, Pool
from finelake.huggingface.rows import Line, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of a process: its `rank` among `processes`, and how many examples its batches hold."""

    rank: int = 0
    processes: int = 1
    batch: int = 1

    @property
    def together(self) -> int:
        """How many examples the batches of all processes hold together."""
        return self.batch * self.processes


class Stream(IterableDataset):
    """Endless examples, epoch after epoch, for a loader with `batch_size=share.batch`; `make` turns a line into one.

    `state_dict` counts the examples that this process has had, `load_state_dict` goes on behind them. With loader
    workers the examples are counted by whoever reads the loader, who tells by `at`.
    """

    def __init__(
        self, rows: Rows, order: Order, *, share: Share, make: Callable[[Line], Any], epochs: int | None = None
    ) -> None:
        """Stream `epochs` times over the rows, without end where it is None."""
        super().__init__()
        self._rows, self._order, self._share, self._make, self._epochs = rows, order, share, make, epochs
        self._done = 0

    def at(self, *, examples: int) -> Stream:
        """Go on behind the first `examples` of this process; returns the stream."""
        self._done = examples
        return self

    def state_dict(self) -> dict[str, int]:
        """Give how many examples this process has had."""
        return {"examples": self._done}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where a state was taken; processes and batch size must be the same."""
        self._done = state["examples"]

    def __iter__(self) -> Iterator[Any]:
        """Yield this process's and this worker's examples. Raises ValueError where workers begin inside a batch."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info is not None else (0, 1)
        share, done = self._share, self._done
        if workers > 1 and done % share.batch:
            raise ValueError(f"{done} examples are no whole number of batches of {share.batch}; use no loader workers")
        first = done // share.batch * share.together + done % share.batch * share.processes + share.rank
        for epoch in self._from(first // self._order.rows):
            base = epoch * self._order.rows
            for pool in self._order.pools(epoch, begin=max(0, first - base)):
                places = base + pool.start + np.arange(len(pool.rows), dtype=np.int64)
                batches = places // share.together - done // share.batch
                mine = (places >= first) & (places % share.together % share.processes == share.rank)
                chosen = np.flatnonzero(mine & (batches % workers == worker))
                for line in read_pool(self._rows, pool, chosen):
                    self._done += 1
                    yield self._make(line)

    def _from(self, epoch: int) -> Iterator[int]:
        while self._epochs is None or epoch < self._epochs:
            yield epoch
            epoch += 1


def read_pool(rows: Rows, pool: Pool, chosen: Ints) -> Iterator[Line]:
    """Read the chosen places of a pool, each group once, and give their lines in the pool's order."""
    found: dict[int, Line] = {}
    for group in np.unique(pool.groups[chosen]).tolist():
        places = chosen[pool.groups[chosen] == group]
        lines = rows.read(group, pool.rows[places].tolist())
        found |= dict(zip(places.tolist(), lines, strict=True))
    for place in chosen.tolist():
        yield found.pop(place)


def first_lines(rows: Rows, order: Order, count: int) -> Sequence[Line]:
    """Give the first lines of the first epoch: a sample that the seed decides."""
    lines: list[Line] = []
    for pool in order.pools(0):
        chosen = np.arange(min(len(pool.rows), count - len(lines)), dtype=np.int64)
        lines += read_pool(rows, pool, chosen)
        if len(lines) >= count:
            break
    return lines
