"""Train one job, block by block, so that the service can be killed at any moment and go on where it was.

A block ends at the first step, every tenth, every epoch's end and the last step. What a block measured is committed
in one transaction. A job that is started again first learns the recorded steps anew, without scoring, in the order
that its seed gives; so it ends with the numbers of an unbroken run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from finelake.emulator.chatfile import read_examples
from finelake.emulator.clock import Clock
from finelake.emulator.jobs import ACTIVE, JobRecord, JobService
from finelake.emulator.learner import NgramModel, Score
from finelake.emulator.ledger import JobLedger
from finelake.emulator.lessons import DEFAULT_BETA, Lesson, billed_tokens, learn, lesson_of, score
from finelake.emulator.metrics import StepMetrics
from finelake.emulator.registry import ModelRegistry
from finelake.emulator.state import Store
from finelake.emulator.tokens import encoder
from finelake.training.epochs import auto_batch_size, auto_epochs

logger = logging.getLogger(__name__)

MAX_TOKENS_TIMES_EPOCHS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class _Material:
    model: NgramModel
    training: list[Lesson]
    validation: list[Lesson]
    beta: float

    def learn(self, places: list[int]) -> None:
        """Learn some training examples."""
        learn(self.model, [self.training[place] for place in places])

    def score(self, lessons: list[Lesson]) -> Score:
        """Score examples as the job's method does."""
        return score(self.model, lessons, beta=self.beta)


class Trainer:
    """Run jobs; `stopping` ends a run at the next block when the service shuts down."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        jobs: JobService,
        models: ModelRegistry,
        ledger: JobLedger,
        training_seconds: float,
        stopping: threading.Event,
    ) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._models = models
        self._ledger = ledger
        self._training_seconds = training_seconds
        self._stopping = stopping

    def run(self, job: JobRecord) -> None:
        """Train a job until it succeeds, is paused or cancelled, or the service stops."""
        logger.info("job %s: rehearsal of %s starts at step %d", job.id, job.spec.model, job.last_step)
        if not self._ledger.begin(job):
            return
        job = self._begin(job)
        if job.billed_tokens is not None and job.billed_tokens > MAX_TOKENS_TIMES_EPOCHS:
            self._jobs.fail(
                job.id,
                code="jsonlValidationFailed",
                message=f"Tokens times epochs are {job.billed_tokens}; allowed are {MAX_TOKENS_TIMES_EPOCHS}.",
                param="training_file",
            )
            return
        material = self._material(job)
        batches = job.plan.batches()
        for batch in islice(batches, job.last_step):
            material.learn(batch)
        if self._train(job, material, batches):
            self._ledger.succeed(job)

    def _begin(self, job: JobRecord) -> JobRecord:
        if job.examples is not None:
            return job
        known = self._models.require(job.plane, job.spec.model)
        encoding = encoder(known.base.encoding)
        examples = read_examples(self._jobs.training_path(job.id))
        epochs = job.spec.epochs or auto_epochs(len(examples))
        batch = min(job.spec.batch_size or auto_batch_size(len(examples)), len(examples))
        limit = known.base.training_context
        billed = epochs * sum(billed_tokens(example, encoding=encoding, limit=limit) for example in examples)
        begun = replace(job, examples=len(examples), epochs=epochs, batch_size=batch, billed_tokens=billed)
        self._store.write(
            "UPDATE jobs SET examples = ?, epochs = ?, batch_size = ?, total_steps = ?, billed_tokens = ?,"
            " started_at = ? WHERE id = ?",
            (len(examples), epochs, batch, begun.plan.total_steps, billed, self._clock.now(), job.id),
        )
        return self._jobs.get(job.plane, job.id)

    def _material(self, job: JobRecord) -> _Material:
        model = NgramModel()
        known = self._models.require(job.plane, job.spec.model)
        if known.job_id is not None and known.step is not None:
            parent = self._jobs.get(job.plane, known.job_id)
            earlier = self._material(parent)
            model = earlier.model
            for batch in islice(parent.plan.batches(), known.step):
                earlier.learn(batch)
        encoding, limit = encoder(known.base.encoding), known.base.training_context

        def lessons(path: Path) -> list[Lesson]:
            examples = read_examples(path) if path.exists() else []
            return [lesson_of(one, model=model, encoding=encoding, limit=limit) for one in examples]

        training, validation = (self._jobs.training_path(job.id), self._jobs.validation_path(job.id))
        return _Material(model, lessons(training), lessons(validation), job.spec.beta or DEFAULT_BETA)

    def _train(self, job: JobRecord, material: _Material, batches: Iterator[list[int]]) -> bool:
        """Do the steps that are left; False when the job is to stop before its end."""
        block: list[StepMetrics] = []
        began, first = self._clock.now(), job.last_step
        for step, batch in enumerate(batches, start=job.last_step + 1):
            chosen = [material.training[place] for place in batch]
            measured = material.score(chosen)
            material.learn(batch)
            block.append(StepMetrics(step, measured.loss, measured.accuracy))
            if not job.plan.reports(step):
                continue
            self._wait_until(began + self._training_seconds * (step - first) / job.plan.total_steps)
            if self._stopping.is_set():
                return False
            if not self._finish_block(job, material, block):
                return False
            block = []
        return True

    def _finish_block(self, job: JobRecord, material: _Material, block: list[StepMetrics]) -> bool:
        """Measure, commit, and tell whether the job goes on."""
        pausing = self._ledger.status(job) == "pausing"
        full = pausing or block[-1].step in job.plan.epoch_ends()
        block[-1] = measured = _validate(material, block[-1], batch_size=job.plan.batch_size, full=full)
        with self._store.transaction():
            if self._ledger.status(job) not in ACTIVE:
                return False
            self._ledger.record(job, block)
            if full:
                self._ledger.add_checkpoint(job, measured)
            if pausing:
                self._ledger.pause(job)
        return not pausing

    def _wait_until(self, moment: float) -> None:
        seconds = self._clock.wall_seconds(moment - self._clock.now())
        if seconds > 0:
            self._stopping.wait(seconds)


def _validate(material: _Material, metrics: StepMetrics, *, batch_size: int, full: bool) -> StepMetrics:
    """Add the loss of a batch of validation examples, taken in turn, and with `full` that of all of them."""
    examples = material.validation
    if not examples:
        return metrics
    start = (metrics.step - 1) * batch_size
    batch = [examples[place % len(examples)] for place in range(start, start + min(batch_size, len(examples)))]
    found = material.score(batch)
    whole = material.score(examples) if full else Score()
    return replace(
        metrics,
        valid_loss=found.loss,
        valid_accuracy=found.accuracy,
        full_valid_loss=whole.loss,
        full_valid_accuracy=whole.accuracy,
    )
