"""Payment cards (known prefix, length of the brand, Luhn) and IBANs (registry and checksum), by python-stdnum."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import iban, luhn

from finelake.privacy.context import label_before
from finelake.privacy.kinds import Finding

_find_card = re.compile(r"(?<![A-Za-z0-9.,+-])\d(?:[ -]{0,2}\d){12,18}(?![A-Za-z0-9-]|[.,]\d)").finditer
# Issuer ranges of ISO/IEC 7812 by brand: Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay.
_is_card = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}|"
    r"6(?:011|4[4-9]\d|5\d{2})\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}"
).fullmatch
_find_iban = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}").finditer
_SHORTEST_IBAN = 15


def cards(text: str) -> Iterator[Finding]:
    """Find card numbers; an unbroken number that the words before it call an order or a ticket is none."""
    for match in _find_card(text):
        written = match.group()
        digits = re.sub(r"\D", "", written)
        if not digits.isascii() or not _is_card(digits) or not luhn.is_valid(digits) or len(set(digits)) < 2:
            continue
        if written != digits or label_before(text, match.start()) != "reference":
            yield Finding(match.start(), match.end(), "card", digits)


def ibans(text: str) -> Iterator[Finding]:
    """Find IBANs, in one piece or in groups; words that follow are left out by trying shorter stretches."""
    for match in _find_iban(text):
        written = match.group()
        ends = [n for n in range(len(written), _SHORTEST_IBAN - 1, -1) if _is_end(text, match.start() + n)]
        for end in ends:
            if iban.is_valid(written[:end]):
                yield Finding(match.start(), match.start() + end, "iban", iban.compact(written[:end]))
                break


def _is_end(text: str, position: int) -> bool:
    following = text[position : position + 1]
    return text[position - 1].isalnum() and not (following.isascii() and following.isalnum())
