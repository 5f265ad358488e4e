"""Simulate comparisons whose truth is known, and print how often intervals hold it and the gate is wrong.

    python benchmarks/evaluation_statistics.py [--runs 2000]

The simulations are those of tests/pure/evaluation/simulations.py, with more runs and sizes; seeded, so that the same
command prints the same table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = (10, 20, 40)
LOSSES = (0.0, 0.05)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print two tables: scores by group count and shape, pass/fail guards by group count and true loss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args(arguments).runs
    sys.path.insert(0, str(ROOT))
    from tests.pure.evaluation.simulations import heavy_down, normal, passes, scores, skewed, skewed_down, sparse

    lines = [
        f"{runs} simulated comparisons a row",
        "groups  effects      interval holds truth  interval above 0  promoted",
    ]
    for groups in SIZES:
        for effects in (normal, skewed, skewed_down, heavy_down):
            found = scores(seed=1, runs=runs, groups=groups, effects=effects)
            lines.append(
                f"{groups:>6}  {effects.__name__:<11}  {found.covered:>20.1%}  {found.by_interval:>16.1%}  "
                f"{found.promoted:>8.1%}"
            )
        for turned in (0.02, 0.05, 0.15):
            found = sparse(seed=1, runs=runs, groups=groups, turned=turned)
            lines.append(
                f"{groups:>6}  0/1, {turned:<6.0%}  {found.covered:>20.1%}  {found.by_interval:>16.1%}  "
                f"{found.promoted:>8.1%}"
            )
    lines.append("groups  true loss  interval holds truth  loss of 0.05 excluded")
    for groups in (40, 60, 120):
        for lost in LOSSES:
            covered, excluded = passes(seed=2, runs=runs, groups=groups, won=0.0, lost=lost, margin=0.05)
            lines.append(f"{groups:>6}  {lost:>9.2f}  {covered:>20.1%}  {excluded:>21.1%}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
