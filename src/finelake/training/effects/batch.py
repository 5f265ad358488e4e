"""Effect: a batch of paid questions of an evaluation. The service keeps no list of answers to look through.

If the process dies before a batch's result is written, its questions may have been paid: the next driver asks those
again whose answers are not in the table of answers, and `unclear` says how many that are at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from finelake.training.effects.log import EffectLog

_BATCH = "batch."


class QuestionBatches:
    """Batches under the lease of an evaluation's journal; a batch is named by the hashes of its requests."""

    def __init__(self, log: EffectLog) -> None:
        self._log = log

    def begin(self, keys: Sequence[str]) -> str:
        """Write down that questions are about to be sent, and give the batch's name.

        Raises RunBusyError when another driver evaluates the same.
        """
        name = _BATCH + hashlib.sha256("".join(sorted(keys)).encode()).hexdigest()[:16]
        self._log.record_intent(name, {"questions": len(keys)})
        self._log.fence()
        return name

    def end(self, name: str) -> None:
        """Write down that the answers of a batch are kept."""
        self._log.record_result(name, {})

    def unclear(self) -> int:
        """Count the questions of batches that were begun and not ended: at most so many are paid twice."""
        names = [step for step in self._log.steps() if step.startswith(_BATCH) and self._log.result(step) is None]
        return sum(int((self._log.intent(name) or {}).get("questions", 0)) for name in names)
