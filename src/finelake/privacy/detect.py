"""All detectors over one text, behind cheap looks that pass over most texts of a dialogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from finelake.privacy.accounts import cards, ibans
from finelake.privacy.address import addresses
from finelake.privacy.contact import emails, phones
from finelake.privacy.identity import national_ids
from finelake.privacy.kinds import Finding, Kind, Policy, without_overlaps
from finelake.privacy.network import ips, url_credentials
from finelake.privacy.secret import secrets

# What every value that is looked for has: a digit, "@", "://", "=" or a long run of key-like characters.
_holds_any = re.compile(r"[\d@=]|://|[A-Za-z0-9_+/-]{20}").search
_SIGNS, _RUN = b"0123456789@=", b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_+/-"
_CLASSES = bytes(ord("0") if byte in _SIGNS else ord("a") if byte in _RUN else ord(" ") for byte in range(256))
_LONG_RUN = b"a" * 20
_has_digits = re.compile(r"\d(?:[^\w]{0,3}\d){6}").search
_has_mixed_run = re.compile(r"[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]|[A-Za-z]{6}\d\d[A-Za-z]\d").search
_has_dotted = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d|[0-9A-Fa-f]*:[0-9A-Fa-f]*:").search


def may_hold_any(text: str) -> bool:
    """Say whether a text can hold a value; for ASCII by character classes, at a twentieth of the pattern's cost."""
    if not text.isascii():
        return _holds_any(text) is not None
    classes = text.encode().translate(_CLASSES)
    return b"0" in classes or _LONG_RUN in classes or "://" in text


@dataclass(frozen=True, slots=True)
class Detector:
    """What is looked for (policies by kind), where numbers without a country code are telephones, what is allowed.

    `allowed` are values in lower case, as written or in canonical form (E.164 for telephones), and `@host` for all
    addresses of a host.
    """

    policies: Mapping[Kind, Policy]
    phone_regions: tuple[str, ...]
    allowed: frozenset[str] = frozenset()

    def find(self, text: str) -> list[Finding]:
        """Find all values of the kinds that are not ignored and not allowed; sorted, without overlaps."""
        if not may_hold_any(text):
            return []
        found: list[Finding] = []
        if "@" in text:
            found += emails(text)
        if "://" in text:
            found += url_credentials(text)
        found += secrets(text)
        many_digits = _has_digits(text)
        if many_digits:
            found += ibans(text)
            found += cards(text)
            found += phones(text, self.phone_regions)
        if many_digits or _has_mixed_run(text):
            found += national_ids(text)
        if _has_dotted(text):
            found += ips(text)
        found += addresses(text)
        return [item for item in without_overlaps(found) if self._counts(item, text)] if found else found

    def _counts(self, item: Finding, text: str) -> bool:
        if self.policies[item.kind] == "ignore":
            return False
        if not self.allowed:
            return True
        forms = {text[item.start : item.end].lower(), item.value.lower()}
        if item.kind == "email":
            forms.add(item.value[item.value.index("@") :])
        return self.allowed.isdisjoint(forms)
