"""Names of tables in a catalog: read once, checked, and quoted wherever they stand in SQL.

Unity Catalog takes names of up to 255 characters without space, slash, full stop and control characters
(docs.databricks.com/sql/language-manual/sql-ref-names); a hyphen or a letter of another alphabet needs the quotes that
finelake always sets. A part may be given in quotes of its own; a quote within a name is refused.
"""

from __future__ import annotations

import re

_PART = re.compile(r"\A(?:`([^`./\\\s\x00-\x1f\x7f]{1,255})`|([^`./\\\s\x00-\x1f\x7f'\";,(){}\[\]]{1,255}))\Z")
MOST_PARTS = 3


def name_parts(name: str) -> tuple[str, ...] | None:
    """Give the parts of a name of one to three parts without their quotes, or None where it is none."""
    found = [_PART.match(part) for part in name.split(".")]
    if not 1 <= len(found) <= MOST_PARTS:
        return None
    parts = [match.group(1) or match.group(2) for match in found if match is not None]
    return tuple(parts) if len(parts) == len(found) else None


def quoted_name(name: str) -> str:
    """Quote a name of one to three parts for SQL. Raises ValueError where it is none."""
    parts = name_parts(name)
    if parts is None:
        raise ValueError(f"{name!r} is not a name of one to three parts")
    return ".".join(f"`{part}`" for part in parts)
