"""National identity, tax and insurance numbers, with the checksums of python-stdnum where the number has one.

Numbers of 9, 11 and 12 plain digits have a checksum of one digit, which one in ten order numbers passes as well, so
they count only when the words before them name them or, for the German one, when they are grouped as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.jp import in_
from stdnum.nl import bsn
from stdnum.us import ssn

from finelake.privacy.context import label_before
from finelake.privacy.kinds import Finding


@dataclass(frozen=True, slots=True)
class _Number:
    """A form to look for, the check it must pass, and the label that must stand before it (None: no other may)."""

    find: Callable[[str], Iterator[re.Match[str]]]
    is_valid: Callable[[str], Any]
    label: str | None = None


def _form(pattern: str) -> Callable[[str], Iterator[re.Match[str]]]:
    return re.compile(rf"(?<![A-Za-z0-9.,+-])(?:{pattern})(?![A-Za-z0-9-]|[.,]\d)", re.ASCII).finditer


def _is_ssn(written: str) -> bool:
    return bool(ssn.is_valid(re.sub(r"\D", "", written)))


# The prefixes that HMRC does not give out: National Insurance Manual, NIM39110.
_NINO = r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"

_NUMBERS = (
    _Number(_form(r"\d{3}-\d{2}-\d{4}"), ssn.is_valid),
    _Number(_form(r"\d{3}[ -]?\d{2}[ -]?\d{4}"), _is_ssn, "social"),
    _Number(_form(r"\d{2} \d{3} \d{3} \d{3}"), idnr.is_valid),
    _Number(_form(r"\d{11}"), idnr.is_valid, "tax"),
    _Number(_form(_NINO), bool),
    _Number(_form(r"\d{8}-?[A-Za-z]"), dni.is_valid),
    _Number(_form(r"[XYZxyz]-?\d{7}-?[A-Za-z]"), nie.is_valid),
    _Number(_form(r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"), nir.is_valid),
    _Number(_form(r"[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]"), codicefiscale.is_valid),
    _Number(_form(r"\d{4}[ .]?\d{2}[ .]?\d{3}"), bsn.is_valid, "bsn"),
    _Number(_form(r"\d{4}[ -]?\d{4}[ -]?\d{4}"), in_.is_valid, "my_number"),
)


def national_ids(text: str) -> Iterator[Finding]:
    """Find the numbers of Germany, Spain, France, Italy, Japan, the Netherlands, the United Kingdom and the USA."""
    for number in _NUMBERS:
        for match in number.find(text):
            written = match.group()
            if not number.is_valid(written):
                continue
            label = label_before(text, match.start())
            if label == number.label or (number.label is None and label != "reference"):
                yield Finding(match.start(), match.end(), "national_id", re.sub(r"[ .-]", "", written).upper())
