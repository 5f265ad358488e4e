"""Whether an answer says the same as its reference: all of it, its numbers, or its kind. Values are 0 or 1."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from decimal import Decimal

from finelake.evaluation.metrics.metric import Metric, against_reference, is_other_kind
from finelake.evaluation.replies import Reply, rendered

_HARD_SPACES = str.maketrans("\u00a0\u202f\u2019", "'''")  # they group digits as an apostrophe does
_NUMBER = re.compile(r"(?<![\w.,'])[-+\u2212]?\d+(?:[.,']\d+)*")
_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}")


def exact_match(answer: Reply, reference: Reply) -> float:
    """Tell whether both say the same, up to Unicode composition (NFC) and white space: 1 or 0."""
    return float(not is_other_kind(answer, reference) and _settled(answer) == _settled(reference))


def numeric_match(answer: Reply, reference: Reply) -> float | None:
    """Tell whether every number of the reference is in the answer, as often: 1 or 0; None without numbers to match.

    Numbers are equal by value: 1,234.50 is 1234.5 and 1.234,50. The answer may hold further numbers.
    """
    expected = _numbers(rendered(reference))
    if not expected:
        return None
    return float(not is_other_kind(answer, reference) and expected <= _numbers(rendered(answer)))


def reply_kind_match(answer: Reply, reference: Reply) -> float:
    """Tell whether the answer calls tools where the reference does, and says text where it does: 1 or 0."""
    return float(not is_other_kind(answer, reference))


METRICS = (
    Metric("exact_match", "exact match", 3, against_reference(exact_match), pass_fail=True),
    Metric("numeric_match", "numbers match", 3, against_reference(numeric_match), pass_fail=True),
    Metric("reply_kind_match", "right kind of reply", 3, against_reference(reply_kind_match), pass_fail=True),
)


def _settled(reply: Reply) -> str:
    return " ".join(unicodedata.normalize("NFC", rendered(reply)).split())


def _numbers(text: str) -> Counter[Decimal]:
    plain = unicodedata.normalize("NFKC", text.translate(_HARD_SPACES))
    return Counter(_value(written) for written in _NUMBER.findall(plain))


def _value(written: str) -> Decimal:
    """Read a number: of two kinds of separators the last is the decimal point, a repeated one groups digits.

    A single point is decimal; a single comma groups where three digits follow at most three, else it is decimal.
    """
    digits = written.lstrip("+-\u2212").replace("'", "")
    last = max(digits.rfind("."), digits.rfind(","))
    point = digits[last] if last >= 0 else ""
    if point and (digits.count(point) > 1 or (point == "," and _THOUSANDS.fullmatch(digits))):
        point = ""
    whole, _, rest = digits.partition(point) if point else (digits, "", "")
    value = Decimal(re.sub(r"[.,]", "", whole) + (f".{rest}" if point else ""))
    return -value if written[0] in "-\u2212" else value
