"""The checks of a plan: each module in `checks/` registers its own; a file put there is found, nothing else to edit."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import get_args

from finelake.training.plan import checks
from finelake.training.plan.finding import Finding, Group
from finelake.training.plan.known import Known

Look = Callable[[Known], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A registered check: the group in which it is shown, and the function."""

    group: Group
    look: Look


_checks: list[Check] = []


def check(group: Group) -> Callable[[Look], Look]:
    """Register a function from what is known to findings; it must be pure."""

    def add(look: Look) -> Look:
        _checks.append(Check(group, look))
        return look

    return add


@cache
def all_checks() -> tuple[Check, ...]:
    """Import every module in `checks/` and give the checks by group, then by module name."""
    for module in sorted(info.name for info in pkgutil.iter_modules(checks.__path__)):
        importlib.import_module(f"{checks.__name__}.{module}")
    order = get_args(Group)
    return tuple(sorted(_checks, key=lambda one: order.index(one.group)))
