"""Walking through lists page by page, without trusting the service to end them.

Azure's lists may lack `has_more` and ignore `after`; the SDK's own iteration then never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from finelake.errors import ServiceError

_MOST_PAGES = 2000


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

    Ends when the service does not say that there is more, or repeats itself; items without an id are left out.
    Raises ServiceError for a list that goes on for ever with new items.
    """
    seen: set[str] = set()
    after: str | None = None
    for _ in range(_MOST_PAGES):
        page = fetch(after)
        named = [item for item in page.data or [] if getattr(item, "id", None)]
        fresh = [item for item in named if item.id not in seen]
        for item in fresh:
            seen.add(item.id)
            yield item
        if not fresh or getattr(page, "has_more", None) is not True:
            return
        after = fresh[-1].id
    raise ServiceError(
        f"A list of the service has not ended after {_MOST_PAGES} pages and {len(seen):,} items. Delete what is no "
        f"longer needed there, or check that service.endpoint is the service itself."
    )
