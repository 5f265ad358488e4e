"""Names that stand for values, and the hashes that receipts carry.

A pseudonym is `[EMAIL_1]`: brackets, capitals, an underscore and a number. Angle brackets would be read as a tag by a
browser, and as a special token by tokenizers that write theirs so; this form needs no escape in JSON or HTML, and
Markdown shows it as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from finelake.privacy.kinds import Finding, Kind

LABELS: Mapping[Kind, str] = {
    "secret": "SECRET",
    "url_credential": "CREDENTIAL",
    "email": "EMAIL",
    "iban": "IBAN",
    "card": "CARD",
    "national_id": "ID",
    "ip": "IP",
    "phone": "PHONE",
    "address": "ADDRESS",
}
KEYED_DIGITS = 16
UNKEYED_DIGITS = 6
"""Without a key the values that are few, such as telephone numbers, can be tried out: 24 bits leave many of them."""

_find_taken = re.compile(rf"\[({'|'.join(LABELS.values())})_([0-9]{{1,6}})\]").findall


@dataclass(frozen=True, slots=True)
class Hasher:
    """Hash values with a secret key (HMAC-SHA256), or without one by a salt of the table, cut short."""

    salt: str
    key: bytes | None = field(default=None, repr=False)

    def digest(self, kind: Kind, value: str) -> str:
        """Give the hexadecimal digits that stand for a value of a kind."""
        body = f"{kind}\x1f{value}".encode("utf-8", "surrogatepass")
        if self.key is not None:
            return hmac.new(self.key, body, hashlib.sha256).hexdigest()[:KEYED_DIGITS]
        return hashlib.sha256(self.salt.encode() + b"\x1f" + body).hexdigest()[:UNKEYED_DIGITS]


class Pseudonyms:
    """The pseudonyms of one conversation: by number in the order of appearance, or by keyed hash across the table.

    Numbers begin after those that the texts already use, so a conversation that came redacted keeps its own.
    """

    def __init__(self, texts: Iterable[str], *, hasher: Hasher, across_table: bool) -> None:
        self._hasher = hasher
        self._across_table = across_table
        self._names: dict[tuple[Kind, str], str] = {}
        self._last: dict[str, int] = {}
        for label, number in (taken for text in texts for taken in _find_taken(text)):
            self._last[label] = max(self._last.get(label, 0), int(number))

    def name(self, finding: Finding) -> str:
        """Give the pseudonym of a value; the same value of the same kind always has the same one."""
        identity = (finding.kind, finding.value)
        if identity not in self._names:
            self._names[identity] = f"[{LABELS[finding.kind]}_{self._suffix(finding)}]"
        return self._names[identity]

    def _suffix(self, finding: Finding) -> str:
        if self._across_table:
            return self._hasher.digest(finding.kind, finding.value)
        label = LABELS[finding.kind]
        self._last[label] = self._last.get(label, 0) + 1
        return str(self._last[label])
