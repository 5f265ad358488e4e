"""Rules that name who wrote a reply: as a Column over mapped rows, and over the text of stored conversations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import Column
from pyspark.sql import functions as F

from finelake.chat import ASSISTANT
from finelake.config.replies import OriginRule, Origins
from finelake.config.settings import Source
from finelake.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginRow:
    """What the rules look at in a row: strings, and metadata map<string,string>."""

    given: Column
    role: Column
    author: Column
    agent_id: Column
    text: Column
    metadata: Column


def check_origin_rules(source: Source, origins: Origins) -> None:
    """Raise ConfigError for a rule that looks at what the source does not have in one row."""
    for number, rule in enumerate(origins.rules):
        place = f"origins.rules[{number}]"
        unmapped = sorted(set(rule.metadata) - set(source.columns.metadata))
        if unmapped:
            raise ConfigError(f"{place} looks at {', '.join(unmapped)}: name it in source.columns.metadata as well.")
        if rule.agent_id and source.columns.agent_id is None:
            raise ConfigError(f"{place} looks at agent_id: map it as source.columns.agent_id.")
        if source.layout == "conversations" and (rule.author or (rule.text and (rule.agent_id or rule.metadata))):
            raise ConfigError(
                f"{place}: stored conversations have no author column, and a rule about their text stands alone. "
                "Give text, or agent_id and metadata."
            )


def origin_column(origins: Origins, row: OriginRow) -> Column:
    """Name a row's origin: the given one, else for replies that of the first rule that fits; null for none."""
    named = F.when(F.trim(row.given) != "", row.given)
    inferred = [F.when(_fits(rule, row), F.lit(rule.origin)) for rule in origins.rules]
    return F.coalesce(named, *inferred)


def _fits(rule: OriginRule, row: OriginRow) -> Column:
    """Say whether every condition of a rule is found; a missing value has nothing to find."""
    looks = [(rule.author, row.author), (rule.agent_id, row.agent_id), (rule.text, row.text)]
    looks += [(pattern, F.try_element_at(row.metadata, F.lit(key))) for key, pattern in rule.metadata.items()]
    found = [F.coalesce(value.rlike(pattern), F.lit(False)) for pattern, value in looks if pattern]
    return reduce(and_, found, F.coalesce(row.role == ASSISTANT, F.lit(False)))


def text_rules(rules: Sequence[OriginRule]) -> Callable[[str], str | None]:
    """Build the function that names a text's origin by the rules that look at the text alone."""
    own = [(re.compile(rule.text).search, rule.origin) for rule in rules if rule.text and not rule.author]

    def name(text: str) -> str | None:
        return next((origin for search, origin in own if search(text)), None)

    return name
