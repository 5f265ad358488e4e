"""Tests of a difference between two models: sign flips over groups, McNemar's, and Holm's correction.

Sign-flip test: if both models were equally good, each group's difference could as well have had the other sign. The
p-value is the share of sign patterns that give a difference at least as large, over all patterns for up to 13 groups,
else over 10,000 drawn ones. It needs no normal distribution and is exact with few groups, where bootstrap intervals
are known to be a little too narrow (Cameron, Gelbach, Miller 2008), as long as differences are symmetric about 0.

McNemar's exact test (1947) takes items as independent. Where groups hold several items its p-value is too small, so
reports say when that can be and nothing is decided by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_EXACT_GROUPS = 13
_DRAWS = 10_000
_BATCH_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class SignFlip:
    """p-values: that the sum is not above 0, and that it is 0."""

    greater: float
    two_sided: float


@dataclass(frozen=True, slots=True)
class McNemar:
    """Items that only the tuned model passed (`won`), only the base model passed (`lost`), and the exact p-value."""

    won: int
    lost: int
    p_value: float


@dataclass(frozen=True, slots=True)
class AdjustedWald:
    """An interval for a difference of paired proportions, and its standard error."""

    low: float
    high: float
    error: float


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval, and the two-sided p-value that it is a half."""

    share: float | None
    low: float
    high: float
    p_half: float


def sign_flip(sums: Floats, *, seed: int) -> SignFlip:
    """Test the groups' summed differences; deterministic in the seed."""
    found = float(sums.sum())
    slack = 1e-9 * max(1.0, float(np.abs(sums).sum()))
    greater = extreme = drawn = 0
    for patterns in _patterns(len(sums), seed=seed):
        totals = patterns @ sums
        greater += int((totals >= found - slack).sum())
        extreme += int((np.abs(totals) >= abs(found) - slack).sum())
        drawn += len(totals)
    observed = 0 if len(sums) <= _EXACT_GROUPS else 1  # all patterns include the observed one, drawn ones do not
    return SignFlip((greater + observed) / (drawn + observed), (extreme + observed) / (drawn + observed))


def mcnemar(before: Floats, after: Floats) -> McNemar:
    """Test paired values of 0 and 1 by the exact binomial distribution of the discordant pairs."""
    from scipy.stats import binomtest

    won, lost = int((after > before).sum()), int((after < before).sum())
    p_value = float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0
    return McNemar(won=won, lost=lost, p_value=p_value)


def adjusted_wald(found: McNemar, *, groups: int, items: int, confidence: float) -> AdjustedWald:
    """Give the interval of Bonett and Price (2012) for tuned - base, as if each group were one item.

    That is right where a group's items agree wholly, and wider than need be otherwise.
    """
    from scipy.stats import norm

    share = groups / items
    won, lost = ((count * share + 1.0) / (groups + 2.0) for count in (found.won, found.lost))
    error = math.sqrt((won + lost - (won - lost) ** 2) / (groups + 2.0))
    reach = float(norm.ppf(0.5 + confidence / 2.0)) * error
    return AdjustedWald(max(-1.0, won - lost - reach), min(1.0, won - lost + reach), error)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust p-values for being several (Holm 1979), which bounds the chance of any false finding."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        largest = max(largest, min(1.0, p_values[name] * (len(p_values) - place)))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def share_interval(count: int, of: int, *, confidence: float) -> Share:
    """Give a share with its exact interval (Clopper, Pearson 1934); of nothing, the whole range from 0 to 1."""
    from scipy.stats import binomtest

    if not of:
        return Share(None, 0.0, 1.0, 1.0)
    found = binomtest(count, of, 0.5)
    interval = found.proportion_ci(confidence_level=confidence, method="exact")
    return Share(count / of, float(interval.low), float(interval.high), float(found.pvalue))


def _patterns(groups: int, *, seed: int) -> Iterator[Floats]:
    """Yield sign patterns, one a row, in batches of bounded size."""
    if groups <= _EXACT_GROUPS:
        yield np.where(np.arange(2**groups)[:, None] >> np.arange(groups) & 1, 1.0, -1.0)
        return
    random = np.random.default_rng(seed)
    batch = max(1, _BATCH_CELLS // groups)
    for start in range(0, _DRAWS, batch):
        rows = min(batch, _DRAWS - start)
        bits = np.unpackbits(np.frombuffer(random.bytes(-(-rows * groups // 8)), dtype=np.uint8), count=rows * groups)
        yield 1.0 - 2.0 * bits.reshape(rows, groups).astype(np.float64)
