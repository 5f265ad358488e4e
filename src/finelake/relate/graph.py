"""Keepers and groups of a graph that fits on the driver; `graph_spark` gives the same for one that does not.

Nodes are positions in a total order (see `labels`), the best first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# A node waits for all earlier neighbours. Where that takes more rounds (a chain of more than thirty texts, each
# only like the next) the rest is kept: never is a text dropped without a kept one that it resembles.
KEEPER_ROUNDS = 30

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Edges:
    """An undirected graph of nodes 0 to count - 1, and edges (low[i], high[i]), low < high."""

    count: int
    low: Positions
    high: Positions


def keepers(edges: Edges) -> tuple[Positions, Positions]:
    """Choose which nodes are merged into which: gives (merged, kept) positions.

    In total order a node is kept unless it has an edge to a kept earlier one; it is merged into the earliest of those.
    """
    count = edges.count
    kept, merged = np.zeros(count, bool), np.zeros(count, bool)
    low, high = edges.low, edges.high
    for _ in range(KEEPER_ROUNDS):
        beaten, waiting = np.zeros(count, bool), np.zeros(count, bool)
        beaten[high[kept[low]]] = True
        waiting[high[~(kept[low] | merged[low])]] = True
        undecided = ~(kept | merged)
        merged |= undecided & beaten
        kept |= undecided & ~beaten & ~waiting
        alive = ~(merged[low] | merged[high] | kept[high])
        low, high = low[alive], high[alive]
        if (kept | merged).all():
            break
    chosen = kept[edges.low] & merged[edges.high]
    centre = np.full(count, count, np.int64)
    np.minimum.at(centre, edges.high[chosen], edges.low[chosen])
    found = np.flatnonzero(centre < count)
    return found, centre[found]


def components(edges: Edges) -> Positions:
    """Give the position of the earliest node of each node's connected component."""
    graph = coo_array((np.ones(len(edges.low), np.int8), (edges.low, edges.high)), shape=(edges.count, edges.count))
    _, member = connected_components(graph, directed=False)
    _, earliest = np.unique(member, return_index=True)
    result: Positions = earliest[member]
    return result
