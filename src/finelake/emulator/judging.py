"""What the judges of the rehearsal say: which of two answers shares more words with the reference.

A judge reads its last message as a JSON object with the texts `reference`, `answer_a` and `answer_b` and says
`{"verdict": "A"}`, `"B"` or `"tie"`. The one of manner `first` prefers answer A unless B shares clearly more, as
language models are known to (Zheng and others 2023), so that a test can see its position bias reported.
"""

from __future__ import annotations

import json
import re
from collections import Counter

from finelake.emulator.catalogue import Manner

_LEAN = 0.5  # how much more of the F-measure the judge of manner `first` wants to see in answer B


def judgement(message: str, *, manner: Manner) -> str:
    """Give the verdict as JSON text; for a message that is no comparison, a sentence that says so."""
    try:
        asked = json.loads(message)
        reference, first, second = (str(asked[name]) for name in ("reference", "answer_a", "answer_b"))
    except (ValueError, KeyError, TypeError):
        return "I can only compare two answers."
    lead = _overlap(first, reference) - _overlap(second, reference)
    if manner == "first":
        return json.dumps({"verdict": "B" if lead < -_LEAN else "A"})
    if abs(lead) < 1e-9:
        return json.dumps({"verdict": "tie"})
    return json.dumps({"verdict": "A" if lead > 0 else "B"})


def _overlap(answer: str, reference: str) -> float:
    """Give the F-measure of shared words; 0 where none is shared."""
    said, expected = _words(answer), _words(reference)
    shared = sum((said & expected).values())
    return 2.0 * shared / (said.total() + expected.total()) if shared else 0.0


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()) or text.split())
