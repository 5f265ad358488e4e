"""All rules of the package. A rule lives beside the code that gives its reason; here is the list of those places."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from finelake.rules.registry import RULES, Rule

PLACES = (
    "finelake.ingest",
    "finelake.conversations.assemble",
    "finelake.conversations.calls",
    "finelake.conversations.erased",
    "finelake.conversations.examples",
    "finelake.conversations.layouts",
    "finelake.conversations.order",
    "finelake.conversations.pairing",
    "finelake.conversations.structure",
    "finelake.conversations.text",
    "finelake.conversations.windows",
    "finelake.annotate.one_pass",
    "finelake.annotate.row_checks",
    "finelake.privacy.kinds",
    "finelake.relate.exact",
    "finelake.relate.near",
    "finelake.replies.catalogue",
    "finelake.relate.semantic",
    "finelake.mixing.mix",
    "finelake.splits",
    "finelake.contamination.spans",
)


def all_rules() -> Mapping[str, Rule]:
    """Give every rule by its reason code."""
    for place in PLACES:
        import_module(place)
    return RULES
