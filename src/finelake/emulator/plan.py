"""The order of training: how many epochs, how large a batch, and which examples each step learns."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

REPORT_EVERY = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """Say which examples each step learns; the same numbers and seed give the same plan for ever."""

    examples: int
    epochs: int
    batch_size: int
    seed: int

    @property
    def total_steps(self) -> int:
        """Count the steps: examples times epochs, in batches, rounded up."""
        return -(-self.examples * self.epochs // self.batch_size)

    def epoch_end(self, epoch: int) -> int:
        """Return the step in which the last example of an epoch (from 1) is learned."""
        return -(-self.examples * epoch // self.batch_size)

    def epoch_ends(self) -> tuple[int, ...]:
        """Return the last step of every epoch."""
        return tuple(self.epoch_end(epoch) for epoch in range(1, self.epochs + 1))

    def batches(self) -> Iterator[list[int]]:
        """Yield the example numbers of each step; every epoch is shuffled anew by the seed."""
        waiting: list[int] = []
        for epoch in range(self.epochs):
            order = list(range(self.examples))
            random.Random(f"{self.seed}:{epoch}").shuffle(order)
            waiting += order
            while len(waiting) >= self.batch_size:
                yield waiting[: self.batch_size]
                del waiting[: self.batch_size]
        if waiting:
            yield waiting

    def seen_by(self, step: int) -> frozenset[int]:
        """Return the examples that were learned in the first `step` steps."""
        if step >= self.epoch_end(1):
            return frozenset(range(self.examples))
        seen: set[int] = set()
        for _, batch in zip(range(step), self.batches(), strict=False):
            seen.update(batch)
        return frozenset(seen)

    def reports(self, step: int) -> bool:
        """Tell whether a step ends a block: the first, every tenth, epoch ends and the last one."""
        return step == 1 or step % REPORT_EVERY == 0 or step == self.total_steps or step in self.epoch_ends()
