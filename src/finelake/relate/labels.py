"""Labels of conversations: strings whose byte order is the total order in which duplicates are kept.

The best comes first: the one in which the fewest things had to be mended or noted, then the one with the most trained
tokens, then the earliest (unknown times last), then the smallest id. An id that is part of the order makes it total.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# Findings have 5 digits, tokens 10, microseconds since 1970 16 (until the year 2286).
_MOST_FINDINGS, _MOST_TOKENS = 10**5 - 1, 10**10 - 1
UNKNOWN_TIME = 10**16 - 1
_PREFIX = 5 + 10 + 16 + 1


def label_of(*, findings: Column, tokens: Column, since: Column, name: Column) -> Column:
    """Build the label of a conversation: findings and tokens counts, since a result of `since_of`, name its id."""
    fewest = F.least(F.coalesce(findings, F.lit(_MOST_FINDINGS)), F.lit(_MOST_FINDINGS))
    longest = F.lit(_MOST_TOKENS) - F.least(F.coalesce(tokens, F.lit(0)), F.lit(_MOST_TOKENS))
    return F.concat(_digits(fewest, 5), _digits(longest, 10), _digits(since, 16), F.lit("|"), name)


def since_of(at: Column) -> Column:
    """Give microseconds since 1970 of a timestamp; those before are 0, an unknown one is after all others."""
    return F.when(at.isNull(), F.lit(UNKNOWN_TIME)).otherwise(F.greatest(F.unix_micros(at), F.lit(0)))


def name_of(label: Column) -> Column:
    """Take the id out of a label."""
    return label.substr(F.lit(_PREFIX + 1), F.length(label))


def name_in(label: str) -> str:
    """Take the id out of a label that is at hand."""
    return label[_PREFIX:]


def _digits(value: Column, width: int) -> Column:
    return F.lpad(value.cast("string"), width, "0")
