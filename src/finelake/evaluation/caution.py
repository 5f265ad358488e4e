"""How far a gain must lie above its threshold where few groups may hide large losses.

An interval from few groups is too sure of itself where most of them gain a little and few lose much: the few are often
not among those that were seen (Johnson 1978, on t with skewed data). No method sees what is not in the data, so the
gate assumes it: it asks as many standard errors as would be needed if the groups, in the sizes that they have, had
effects of a mirrored exponential distribution (skewness -2). That is what simulations are held against; effects that
are more skewed than that make the gate wrong more often than it claims (docs/evaluation.md).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_DRAWS = 10_000
_BATCH_CELLS = 2_000_000


def skewed_critical(counts: Floats, *, confidence: float, seed: int) -> float:
    """Give the quantile of the t statistic (cluster-robust) at one side of a two-sided interval of `confidence`.

    `counts` are the items of each group, at least two groups. Deterministic in the seed.
    """
    random = np.random.default_rng(seed)
    batch = max(1, _BATCH_CELLS // len(counts))
    parts = [
        _statistics(1.0 - random.exponential(size=(min(batch, _DRAWS - start), len(counts))), counts)
        for start in range(0, _DRAWS, batch)
    ]
    return float(np.quantile(np.concatenate(parts), 0.5 + confidence / 2.0))


def _statistics(effects: Floats, counts: Floats) -> Floats:
    """Give mean over items by its standard error (statistics.standard_error), for each row of group effects."""
    groups, total = len(counts), counts.sum()
    means = effects @ counts / total
    residuals = counts * (effects - means[:, None])
    errors = np.sqrt(groups / (groups - 1) * np.square(residuals).sum(axis=1)) / total
    statistics: Floats = means / errors
    return statistics
