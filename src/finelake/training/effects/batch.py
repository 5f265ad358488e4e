"""Effect: a batch of paid questions of an evaluation. The service keeps no list of answers to look through.

If the process dies before a batch's result is written, answers that had arrived are kept on disk (`evaluation.spool`);
of the questions that were under way at that moment, at most as many as are asked at once, nobody knows whether they
were paid. The next driver asks those again, and `unclear` says how many that are at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from finelake.training.effects.log import EffectLog

_BATCH = "batch."


class QuestionBatches:
    """Batches under the lease of an evaluation's journal, named by number and by the hashes of their requests."""

    def __init__(self, log: EffectLog) -> None:
        self._log = log

    def begin(self, keys: Sequence[str], *, at_once: int) -> str:
        """Write down that questions are about to be sent, `at_once` at a time, and give the batch's name.

        Raises RunBusyError when another driver evaluates the same.
        """
        digest = hashlib.sha256("".join(sorted(keys)).encode()).hexdigest()[:16]
        name = f"{_BATCH}{len(self._batches()) + 1}.{digest}"
        for earlier in self._open():
            self._log.record_result(earlier, {"continued_as": name})
        self._log.record_intent(name, {"questions": len(keys), "at_once": at_once})
        self._log.fence()
        return name

    def stay(self) -> None:
        """See that the lease is held, before each question and while waiting; renews it when it is due.

        Raises RunBusyError when another driver has taken over.
        """
        self._log.fence()
        self._log.keep()

    def end(self, name: str) -> None:
        """Write down that no question of a batch is under way any more; nothing when another driver took over."""
        if self._log.is_held:
            self._log.record_result(name, {})

    def unclear(self) -> int:
        """Count the questions that were under way, at most, when earlier drivers died: so many may be paid twice."""
        asked = [self._log.intent(name) or {} for name in self._open()]
        return sum(min(int(one.get("questions", 0)), int(one.get("at_once", one.get("questions", 0)))) for one in asked)

    def _open(self) -> list[str]:
        return [step for step in self._batches() if self._log.result(step) is None]

    def _batches(self) -> list[str]:
        return [step for step in self._log.steps() if step.startswith(_BATCH)]
