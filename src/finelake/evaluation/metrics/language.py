"""Whether an answer is in the language that is expected: the reference's, else the user's.

The detector is the one that curation uses (`finelake.replies.language`): offline, the same answer every time. Texts
too short or too mixed to tell (below `_CHARACTERS`, or a probability below `_SURE`) are never counted as wrong.
Characters of scripts without spaces count threefold, as they say more.
"""

from __future__ import annotations

import re

from finelake.evaluation.metrics.case import Case
from finelake.evaluation.metrics.metric import Metric
from finelake.replies.language import detect, weighed_length

_CHARACTERS = 30
_SURE = 0.9
_LONGEST = 2000
_without_codes = re.compile(r"https?://\S+|\S*[@\d_]\S*").sub


def language_match(case: Case) -> float | None:
    """Tell whether the answer is in the expected language: 1 or 0; None where that cannot be told of the prompt.

    A tool call has no language; an empty answer is in none. Answers too short to tell count as right.
    """
    if case.reference is not None and case.reference.calls_tools:
        return None
    expected = (language_of(case.reference.text) if case.reference else None) or language_of(case.question)
    if expected is None:
        return None
    if case.answer.is_empty:
        return 0.0
    return float(language_of(case.answer.text) in (expected, None))


def language_of(text: str) -> str | None:
    """Give the language of a text (ISO 639-1); None where it cannot be told."""
    plain = _without_codes(" ", text[:_LONGEST]).strip()
    if weighed_length(plain) < _CHARACTERS:
        return None
    name, probability = detect(plain)
    return name if probability >= _SURE else None


METRICS = (Metric("language_match", "right language", 3, language_match, pass_fail=True),)
