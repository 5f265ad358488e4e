"""The kinds of personal data and secrets, what a finding is, and the reason code of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from finelake.rules.registry import Rule, register

Kind = Literal["secret", "url_credential", "email", "iban", "card", "national_id", "ip", "phone", "address"]
"""In the order of precedence: where two findings overlap, the kind that is named first here is kept."""

Policy = Literal["redact", "reject", "report", "ignore"]
"""Replace the value, set the conversation aside, only record it, or do not look for it."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_MEANINGS: Mapping[Kind, str] = {
    "secret": "An API key, an access token, a private key or the password of a connection string was found.",
    "url_credential": "A URL with a user and password, or with a token in its query, was found.",
    "email": "An e-mail address was found.",
    "iban": "An IBAN with a valid checksum was found.",
    "card": "A payment card number with a known prefix and a valid checksum was found.",
    "national_id": "A national identity, tax or insurance number was found.",
    "ip": "An IP address was found.",
    "phone": "A telephone number that its country's numbering plan allows was found.",
    "address": "A street address was found.",
}


RULES_BY_KIND: Mapping[Kind, Rule] = {
    kind: register(
        Rule(code=f"privacy_{kind}", step="privacy", action="note", summary=meaning, policy_key=f"privacy_{kind}")
    )
    for kind, meaning in _MEANINGS.items()
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A value found in a text at [start, end); `value` is its canonical form and stays out of the repr."""

    start: int
    end: int
    kind: Kind
    value: str = field(repr=False)


def without_overlaps(findings: list[Finding]) -> list[Finding]:
    """Drop findings that overlap one of a kind with precedence (the longer one within a kind); sort by position."""
    if len(findings) < 2:
        return findings
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda item: (KINDS.index(item.kind), item.start - item.end, item.start)):
        if all(finding.end <= other.start or finding.start >= other.end for other in kept):
            kept.append(finding)
    return sorted(kept, key=lambda item: item.start)
