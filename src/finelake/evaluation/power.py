"""What a comparison of this size could have shown, and what size would show more.

Formula of a two-sided test with normal approximation (Bloom 1995), with Student's t because groups are few: the
detectable difference is the standard error times the sum of the critical value and the quantile for the power.
"""

from __future__ import annotations

import math

POWER = 0.8


def detectable_difference(error: float, *, groups: int, critical: float, power: float = POWER) -> float | None:
    """Give the true difference that `power` of such comparisons would find; None when the standard error is 0.

    `critical` is how many standard errors a difference must have to be believed.
    """
    if error <= 0.0 or groups < 2:
        return None
    return error * (critical + t_quantile(groups - 1, power))


def groups_needed(detectable: float, *, groups: int, difference: float) -> int | None:
    """Give how many such groups would find a true `difference`; None when it is 0.

    The standard error falls with the square root of the number of groups; rounded up, an estimate from these data.
    """
    if difference == 0.0:
        return None
    return max(2, math.ceil(groups * (detectable / abs(difference)) ** 2))


def clean_groups_needed(margin: float, *, confidence: float) -> int:
    """Give how many groups without a win or loss prove a pass/fail metric not worse by `margin` (0 to 1).

    The adjusted Wald interval (`significance.adjusted_wald`) of no discordant pairs, solved for the groups.
    """
    from scipy.stats import norm

    return math.floor(math.sqrt(2.0) * float(norm.ppf(0.5 + confidence / 2.0)) / margin - 2.0) + 1


def t_quantile(freedom: int, share: float) -> float:
    """Give the quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(share, freedom))
