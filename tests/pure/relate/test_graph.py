"""Keepers and components on the driver against brute force, on random and on adversarial graphs."""

from __future__ import annotations

import random

import numpy as np
import pytest

from finelake.relate.graph import KEEPER_ROUNDS, Edges, components, keepers

Pairs = list[tuple[int, int]]


def edges_of(pairs: Pairs) -> tuple[list[int], Edges]:
    names = sorted({end for pair in pairs for end in pair})
    place = {name: n for n, name in enumerate(names)}
    ends = sorted({(min(a, b), max(a, b)) for a, b in pairs if a != b})
    low, high = (np.array([place[pair[side]] for pair in ends], np.int64) for side in (0, 1))
    return names, Edges(len(names), low, high)


def merged_into(pairs: Pairs) -> dict[int, int]:
    names, edges = edges_of(pairs)
    return {names[a]: names[b] for a, b in zip(*keepers(edges), strict=True)}


def groups(pairs: Pairs) -> dict[int, int]:
    names, edges = edges_of(pairs)
    return {name: names[n] for name, n in zip(names, components(edges), strict=True)}


def neighbours(pairs: Pairs) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for a, b in pairs:
        found.setdefault(a, set()).add(b)
        found.setdefault(b, set()).add(a)
    return found


def one_after_the_other(pairs: Pairs) -> dict[int, int]:
    near, merged = neighbours(pairs), {}
    for node in sorted(near):
        kept = [other for other in near[node] if other < node and other not in merged]
        if kept:
            merged[node] = min(kept)
    return merged


def walked(pairs: Pairs) -> dict[int, int]:
    near, found = neighbours(pairs), {}
    for start in sorted(near):
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found[node] = start
                waiting.extend(near[node])
    return found


def chance(seed: int) -> Pairs:
    chosen = random.Random(seed)
    nodes = chosen.randint(1, 40)
    return [(chosen.randrange(nodes), chosen.randrange(nodes)) for _ in range(chosen.randint(0, 60))]


GRAPHS: dict[str, Pairs] = {
    "chain": [(n, n + 1) for n in range(KEEPER_ROUNDS - 2)],
    "star": [(50, n) for n in range(100) if n != 50],
    "giants": [(0, n) for n in range(1, 50)] + [(100, n) for n in range(101, 150)] + [(49, 149)],
    "nothing": [],
    "clique": [(a, b) for a in range(30) for b in range(a)],
    **{f"random {seed}": chance(seed) for seed in range(60)},
}


@pytest.mark.parametrize("pairs", GRAPHS.values(), ids=GRAPHS)
def test_both_equal_brute_force(pairs: Pairs) -> None:
    assert merged_into(pairs) == one_after_the_other(pairs)
    assert groups(pairs) == walked(pairs)


def test_a_chain_loses_only_direct_neighbours_of_kept_ones() -> None:
    chain = [(n, n + 1) for n in range(1000)]
    merged = merged_into(chain)
    assert merged[1] == 0
    assert all(kept == node - 1 and kept not in merged for node, kept in merged.items())
    assert set(groups(chain).values()) == {0}
