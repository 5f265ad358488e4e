"""Spark actions side by side: planning, Delta's log and short jobs of one fill the gaps that another leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Result = TypeVar("Result")


def at_once(actions: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run actions in threads of their own and give their results in order.

    All of them end before the first failure, in their order, is raised. Sessions may be shared by threads, classic
    and Connect alike; two actions must not write the same table. Log
    lines of the threads have the fields of this one.
    """
    with ThreadPoolExecutor(max_workers=len(actions) or 1, thread_name_prefix="finelake") as pool:
        return [begun.result() for begun in [pool.submit(copy_context().run, action) for action in actions]]
