"""Having both models answer all items, in bounded parallel, each question paid once.

Answers that the run has in its store are not asked again. New ones are kept the moment they arrive and recorded while
others are still under way, `evaluation.record_every` at a time or after half a minute, so a killed process loses none.
Refusals cost nothing and may pass, so they are recorded only when all is answered: a run that ended because too
many were refused asks those again.

With a budget the questions go out in order until the next one could cost more than is left; it and those after it
have no answer. Whether it fits is told after all open questions are answered, so that it does not depend on chance.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from finelake.config.evaluation import Budget, Evaluation
from finelake.errors import ServiceError
from finelake.evaluation.asking import Answer, ClientSource, Pace, Question, ask
from finelake.evaluation.budget import Purse
from finelake.evaluation.metrics.refusal import FILTERED

logger = logging.getLogger(__name__)

_RECORD_SECONDS = 30.0
_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class AnswerProgress:
    """How far the answering is: questions of both models, how many came from the table, how many failed."""

    done: int
    total: int
    reused: int
    failed: int


AnswerObserver = Callable[[AnswerProgress], None]


class AnswerStore(Protocol):
    """Where answers are kept between runs of the process."""

    def read(self) -> dict[str, Answer]: ...

    def record(self, answers: Sequence[Answer]) -> None: ...


class AnswerSpool(AnswerStore, Protocol):
    """A store that keeps one answer at once, before it is recorded with others; `keep` is called by many threads."""

    def keep(self, answer: Answer) -> None: ...


class Batches(Protocol):
    """The write-ahead record of what is asked, under a lease (see training.effects.batch)."""

    def begin(self, keys: Sequence[str], *, at_once: int) -> str: ...

    def stay(self) -> None: ...

    def end(self, name: str) -> None: ...


def collect_answers(
    client: ClientSource,
    questions: Iterable[Question],
    *,
    store: AnswerSpool,
    batches: Batches,
    evaluation: Evaluation,
    observer: AnswerObserver | None = None,
    purse: Purse | None = None,
) -> dict[str, Answer]:
    """Give the answer to each question, by key; equal questions are asked once, and none that `purse` cannot pay.

    Raises ServiceError when more than `max_failed_share` of a model's answers failed, or the service refuses all;
    RunBusyError when another driver took the evaluation over.
    Whatever ends it, every billed answer that has arrived is recorded first.
    """
    distinct = {question.key: question for question in questions}
    kept = store.read()
    purse = Purse(Budget()) if purse is None else purse
    purse.start(kept.values())
    known = {key: answer for key, answer in kept.items() if key in distinct}
    ledger = _Ledger(
        distinct, known, store=store, batches=batches, evaluation=evaluation, purse=purse, observer=observer
    )
    left = [question for key, question in distinct.items() if key not in known]
    batch = batches.begin([question.key for question in left], at_once=evaluation.concurrency) if left else None
    pace = Pace()

    def answered(question: Question) -> Answer:
        answer = ask(client, question, pace=pace, evaluation=evaluation)
        if answer.billed:
            store.keep(answer)
        return answer

    pool = ThreadPoolExecutor(max_workers=evaluation.concurrency, thread_name_prefix="finelake-answers")
    window = evaluation.concurrency + evaluation.record_every
    futures: set[Future[Answer]] = set()
    try:
        for question in left:
            while futures and not purse.admits(question):
                futures = ledger.take_finished(futures)
            if not purse.admits(question):
                break
            purse.reserve(question)
            batches.stay()
            futures.add(pool.submit(answered, question))
            if len(futures) >= window:
                futures = ledger.take_finished(futures)
        while futures:
            futures = ledger.take_finished(futures)
        ledger.close()
        purse.refuse(distinct.keys() - ledger.answers.keys())
    finally:
        pace.stop()
        pool.shutdown(wait=True, cancel_futures=True)
        ledger.rescue(futures)
        if batch is not None:
            batches.end(batch)
    return ledger.answers


class _Ledger:
    """The answers so far, those not yet recorded, and the count of failures."""

    def __init__(
        self,
        questions: dict[str, Question],
        known: dict[str, Answer],
        *,
        store: AnswerStore,
        batches: Batches,
        evaluation: Evaluation,
        purse: Purse,
        observer: AnswerObserver | None,
    ) -> None:
        self._lenient = {key for key, question in questions.items() if question.may_be_filtered}
        self._purse = purse
        self.answers = dict(known)
        self._asked = Counter(question.model for question in questions.values())
        self._total = len(questions)
        self._reused = len(known)
        self._store = store
        self._batches = batches
        self._evaluation = evaluation
        self._observer = observer
        self._billed: list[Answer] = []
        self._unbilled: list[Answer] = []
        self._recorded_at = time.monotonic()
        self._tell()

    def take_finished(self, futures: set[Future[Answer]]) -> set[Future[Answer]]:
        """Wait for at least one answer, take in all that are there, and give the rest; the lease is kept meanwhile."""
        finished, waiting = wait(futures, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
        while not finished:
            self._batches.stay()
            finished, waiting = wait(futures, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for future in finished:
            self._take(future.result())
        self._tell()
        self._stop_when_too_many_failed()
        if len(self._billed) >= self._evaluation.record_every or self._is_due():
            self._record_billed()
        return waiting

    def close(self) -> None:
        """Record what is left, the failures too. Raises ServiceError when there are too many of these."""
        self._stop_when_too_many_failed()
        self._billed += self._unbilled
        self._unbilled = []
        self._record_billed()

    def rescue(self, futures: set[Future[Answer]]) -> None:
        """Record the billed answers that had arrived when the work was broken off."""
        for future in futures:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._take(future.result())
        self._record_billed()

    def _take(self, answer: Answer) -> None:
        if answer.key not in self.answers:
            self.answers[answer.key] = answer
            self._purse.settle(answer)
            (self._billed if answer.billed else self._unbilled).append(answer)

    def _record_billed(self) -> None:
        if self._billed:
            self._store.record(self._billed)
            logger.info("Recorded %d answers, %d of %d done.", len(self._billed), len(self.answers), self._total)
        self._billed = []
        self._recorded_at = time.monotonic()

    def _is_due(self) -> bool:
        return time.monotonic() - self._recorded_at > _RECORD_SECONDS

    def _stop_when_too_many_failed(self) -> None:
        failed = [answer for answer in self.answers.values() if self._has_failed(answer)]
        for model, count in Counter(answer.model for answer in failed).items():
            if count > self._evaluation.max_failed_share * self._asked[model]:
                codes = Counter(str(answer.error) for answer in failed if answer.model == model)
                told = ", ".join(f"{code}: {times}" for code, times in sorted(codes.items()))
                raise ServiceError(
                    f"Model {model} failed to answer {count} of {self._asked[model]} test prompts ({told}); at most "
                    f"{self._evaluation.max_failed_share:.0%} may fail (evaluation.max_failed_share). Look the codes "
                    f"up at the service, change the data or the limit, and run the same again: answers are kept."
                )

    def _has_failed(self, answer: Answer) -> bool:
        filtered = answer.error == FILTERED and answer.key in self._lenient
        return answer.error is not None and not filtered

    def _tell(self) -> None:
        if self._observer is not None:
            failed = sum(self._has_failed(answer) for answer in self.answers.values())
            self._observer(
                AnswerProgress(done=len(self.answers), total=self._total, reused=self._reused, failed=failed)
            )
