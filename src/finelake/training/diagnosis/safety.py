"""A failed safety evaluation, of the data before training or of the model after it, and what to change.

The service names the harms in brackets. Its thresholds are fixed, have nothing to do with the content filter, and
give false alarms on text full of personal data (medical and legal files, CVs); neither failure is charged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from finelake.training.diagnosis.finding import Finding

RULE = "safety"

_HARMS = re.compile(r"\[([^\]]+)\]")
_DATA, _MODEL, _PASSED = "failed rai checks", "unable to be deployed", "model evaluation passed"
_NOT_CHARGED = "This failure is not charged."
_CHANGES = {
    "hate": "insults and slurs, those that users wrote and agents repeated",
    "self": "talk of self-harm, answers that do not send people to help above all",
    "violence": "threats and descriptions of injuries",
    "sexual": "sexual content",
}


def safety(messages: Iterable[str]) -> Finding:
    """Read the service's words: event messages and the message of the job's error."""
    passed = False
    for message in messages:
        lowered = message.lower()
        if _DATA in lowered:
            return _finding(
                f"The service found harmful content in the training data ({_harms(message)}).",
                f"Remove these conversations and curate again; look for {_looked_for(message)}. Text full of personal "
                f"data gives false alarms: set privacy.policy to redact first. {_NOT_CHARGED}",
            )
        if _MODEL in lowered:
            return _finding(
                f"The tuned model answered the service's safety questions badly ({_harms(message)}), so it cannot be "
                f"deployed.",
                f"Review the training replies for {_looked_for(message)}, add replies that refuse such requests, train "
                f"fewer epochs, and curate again. {_NOT_CHARGED}",
            )
        passed = passed or _PASSED in lowered
    if passed:
        return Finding(rule=RULE, level="fine", words="The service's safety evaluation passed.")
    return Finding(rule=RULE, level="unknown", words="The service has not told the result of its safety evaluation.")


def _finding(words: str, advice: str) -> Finding:
    return Finding(rule=RULE, level="severe", words=words, advice=advice)


def _harms(message: str) -> str:
    found = _HARMS.search(message)
    return found.group(1) if found else "it names no harm"


def _looked_for(message: str) -> str:
    harms = _harms(message).lower()
    return "; ".join(change for sign, change in _CHANGES.items() if sign in harms) or "what the service names"
