"""Walking through lists page by page, without trusting the service to end them.

Azure's lists may lack `has_more` and ignore `after`; the SDK's own iteration then never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar


class Identified(Protocol):
    """Anything with the id by which the next page is asked for."""

    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=Identified)


class Page(Protocol[Item]):
    """One page of a list."""

    @property
    def data(self) -> list[Item]: ...

    @property
    def has_more(self) -> bool | None: ...


def walk(fetch: Callable[[str | None], Page[Item]]) -> Iterator[Item]:
    """Give every item once; `fetch` takes the last id seen, None for the first page.

    Ends when the service does not say that there is more, or repeats itself.
    """
    seen: set[str] = set()
    after: str | None = None
    while True:
        page = fetch(after)
        fresh = [item for item in page.data or [] if item.id not in seen]
        for item in fresh:
            seen.add(item.id)
            yield item
        if not fresh or page.has_more is not True:
            return
        after = fresh[-1].id
