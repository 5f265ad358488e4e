"""Pages of lists: `after` is the id of the last item seen, `limit` the size of a page."""

from __future__ import annotations

from finelake.emulator.errors import invalid
from finelake.emulator.wire import Json


def page(items: list[Json], *, after: str | None, limit: str | None, default: int, most: int) -> Json:
    """Cut one page out of a whole list; 400 for a wrong limit or an `after` that is not in the list."""
    if limit is not None and not (limit.isdecimal() and 1 <= int(limit) <= most):
        raise invalid(f"limit must be a whole number from 1 to {most}.", param="limit")
    size = default if limit is None else int(limit)
    start = 0
    if after is not None:
        places = [place for place, item in enumerate(items) if item["id"] == after]
        if not places:
            raise invalid("'after' names nothing in this list.", param="after")
        start = places[0] + 1
    chosen = items[start : start + size]
    view: Json = {"object": "list", "data": chosen, "has_more": start + size < len(items)}
    if chosen:
        view["first_id"], view["last_id"] = chosen[0]["id"], chosen[-1]["id"]
    return view
