"""Processes that end between two commits: what wrote to a table is stopped as a crash would stop it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from finelake.tables import writing

not_in_connect = pytest.mark.skipif(
    os.environ.get("FINELAKE_TEST_SESSION") == "connect",
    reason="many runs; what Connect changes is tested by the kills between the commits of an increment",
)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@contextmanager
def killed_after(commits: int) -> Iterator[list[str]]:
    """End whatever runs when it has made so many commits; gives their tables, the last one that of the kill."""
    done: list[str] = []
    explained, numbers = writing.explained, count(1)

    @contextmanager
    def counting(place: object) -> Iterator[None]:
        with explained(place):
            yield
        number = next(numbers)  # tables are written side by side, and others may end after the kill
        if number <= commits:
            done.append(Path(str(place)).name)
        if number == commits:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "explained", counting)
        yield done
