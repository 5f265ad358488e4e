"""How many tokens each value of a column may keep: plain arithmetic on the totals, on the driver."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from finelake.errors import InputError


def share_quotas(
    totals: Mapping[str, int], *, share: float, values: Collection[str] | None, budget: int | None
) -> dict[str, int]:
    """Give the tokens that each capped value (`values`, None: every one) may keep so that none exceeds `share`.

    The share is of what is left after the cut, or of `budget` where that is less. Raises InputError where the capped
    values are too few to make up a whole of such shares.
    """
    capped = sorted((value for value in totals if values is None or value in values), key=lambda value: -totals[value])
    left = sum(totals.values())
    cut = 0
    for value in capped:
        if cut * share < 1.0 and totals[value] <= share * left / (1.0 - cut * share):
            break
        cut += 1
        left -= totals[value]
    whole = left / (1.0 - cut * share) if cut * share < 1.0 else 0.0
    if whole <= 0 < sum(totals.values()):
        raise InputError(
            f"mixing.caps: no mix of {len(totals)} values keeps each of them at or below the share {share}: it leaves "
            f"nothing. Raise the share to more than 1/{len(totals)}, or cap by tokens."
        )
    allowed = int(share * min(whole, budget if budget is not None else whole) + 1e-9)
    return {value: allowed for value in capped if totals[value] > allowed}


def weighted_quotas(
    totals: Mapping[str, int], *, weights: Mapping[str, float], other: float, budget: int
) -> dict[str, int]:
    """Divide the budget by the weights; what a value has not got goes to the rest (water filling).

    Every value gets min(its tokens, level times its weight); the level is the one that fills the budget. A value of
    weight 0 gets nothing.
    """
    weight = {value: weights.get(value, other) for value in totals}
    quotas = {value: 0 for value in totals if weight[value] <= 0}
    rest = sorted((value for value in totals if weight[value] > 0), key=lambda v: (totals[v] / weight[v], v))
    remaining, open_weight = float(budget), sum(weight[value] for value in rest)
    for place, value in enumerate(rest):
        level = max(remaining, 0.0) / open_weight
        if totals[value] > level * weight[value]:
            return quotas | {each: int(level * weight[each] + 1e-9) for each in rest[place:]}
        quotas[value] = totals[value]
        remaining -= totals[value]
        open_weight -= weight[value]
    return quotas
