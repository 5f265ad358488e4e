"""Train a job's model by a process of its own, and tell of it what the service tells of every job.

The process outlives the service: one that is killed and started again finds it by its lock, or starts another, which
goes on from the last whole checkpoint. What the process tells is taken in once, by step.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finelake.emulator.chatfile import count_examples
from finelake.emulator.clock import Clock
from finelake.emulator.errors import ApiError
from finelake.emulator.jobs import ACTIVE, JobRecord, JobService
from finelake.emulator.ledger import JobLedger
from finelake.emulator.registry import ModelRegistry
from finelake.emulator.state import Store
from finelake.emulator.transformer.folder import TrainingFolder
from finelake.emulator.transformer.process import HeldProcess
from finelake.emulator.transformer.request import training_request
from finelake.emulator.transformer.weights import WeightFinder
from finelake.emulator.wire import Json

logger = logging.getLogger(__name__)

MOST_DEATHS = 3
"""How often in a row the process may end without a new step before the job fails."""

_TICK_SECONDS = 0.2
_STOP_SECONDS = 60.0
_COMMAND = (sys.executable, "-m", "finelake.huggingface.train")


@dataclass(slots=True)
class _Run:
    """One job in work; `deaths` counts the ends of its process since the last new step."""

    job: JobRecord
    folder: TrainingFolder
    process: HeldProcess
    started: bool = False
    deaths: int = 0


class TransformersTrainer:
    """Run jobs one after another: they share the machine. `stopping` ends a run when the service shuts down."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        jobs: JobService,
        models: ModelRegistry,
        ledger: JobLedger,
        locks: Path,
        stopping: threading.Event,
    ) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._models = models
        self._ledger = ledger
        self._locks = locks
        self._stopping = stopping
        self._turn = threading.Lock()

    def run(self, job: JobRecord) -> None:
        """Train a job until it succeeds, fails, is paused or cancelled, or the service stops."""
        if not self._ledger.begin(job):
            return
        with self._in_turn(job) as mine:
            if not mine:
                return
            job = self._begin(job)
            run = _Run(job, TrainingFolder(self._jobs.folder(job.id)), HeldProcess(self._locks / job.id))
            try:
                run.folder.ask(self._request(job))
            except ApiError as error:
                self._fail(run, error.code, error.message)
                return
            run.folder.begin_again()
            while self._goes_on(run):
                self._stopping.wait(_TICK_SECONDS)

    def _request(self, job: JobRecord) -> Json:
        known = self._models.require(job.plane, job.spec.model)
        validation = self._jobs.validation_path(job.id)
        return training_request(
            job.spec,
            weights=WeightFinder(jobs=self._jobs, models=self._models).find(job.plane, known),
            train=self._jobs.training_path(job.id),
            validation=validation if validation.exists() else None,
        )

    @contextmanager
    def _in_turn(self, job: JobRecord) -> Iterator[bool]:
        mine = False
        while not mine and not self._stopping.is_set() and self._ledger.status(job) in ACTIVE:
            mine = self._turn.acquire(timeout=_TICK_SECONDS)
        try:
            yield mine
        finally:
            if mine:
                self._turn.release()

    def _begin(self, job: JobRecord) -> JobRecord:
        if job.examples is None:
            self._store.write(
                "UPDATE jobs SET examples = ?, started_at = ? WHERE id = ?",
                (count_examples(self._jobs.training_path(job.id)), self._clock.now(), job.id),
            )
        return self._jobs.get(job.plane, job.id)

    def _goes_on(self, run: _Run) -> bool:
        """Take in what is new and do what is due; False when there is nothing left to do."""
        running = run.process.is_running()
        self._take_in(run)
        status = self._ledger.status(run.job)
        if self._stopping.is_set() or status not in ACTIVE:
            self._stop(run)
            return False
        if running:
            if status == "pausing":
                run.folder.ask_stop()
            return True
        return self._after_end(run, pausing=status == "pausing")

    def _after_end(self, run: _Run, *, pausing: bool) -> bool:
        """Look at how the process ended, and start it (again) where it is not done."""
        result = run.folder.result() or {}
        status = result.get("status")
        if status == "succeeded":
            with self._store.transaction():
                done = self._jobs.get(run.job.plane, run.job.id)
                self._ledger.add_checkpoint(done, self._ledger.metrics_at(done, done.total_steps or done.last_step))
                self._ledger.succeed(done)
            return False
        if status == "failed":
            self._fail(run, str(result.get("code") or "trainingFailed"), str(result.get("message") or "no reason"))
            return False
        if pausing:
            self._ledger.pause(run.job)
            return False
        return self._start(run)

    def _start(self, run: _Run) -> bool:
        log = run.folder.path / "training.log"
        if run.started:
            run.deaths += 1
            last = self._jobs.get(run.job.plane, run.job.id).last_step
            how = run.process.how_it_ended
            if run.deaths >= MOST_DEATHS:
                self._fail(run, "trainingProcessDied", f"The training process {how} after step {last}. Its log: {log}")
                return False
            logger.warning("job %s: the training process %s after step %d; starting it again", run.job.id, how, last)
        run.folder.begin_again()
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
        run.started = run.process.start([*_COMMAND, str(run.folder.path)], log=log, environment=environment)
        return True

    def _stop(self, run: _Run) -> None:
        """Let the process keep what it has learned, and see that it ends."""
        if run.process.is_running():
            run.folder.ask_stop()
            if not run.process.wait(_STOP_SECONDS):
                run.process.end(grace=_STOP_SECONDS)

    def _fail(self, run: _Run, code: str, message: str) -> None:
        self._jobs.fail(run.job.id, code=code, message=message, param=None)

    def _take_in(self, run: _Run) -> None:
        """Record new steps and checkpoints, in one transaction."""
        with self._store.transaction():
            if self._ledger.status(run.job) == "deleted":
                return
            for told in run.folder.news():
                if self._ledger.record_told(run.job, told.metrics, total_steps=told.total_steps, tokens=told.tokens):
                    run.deaths = 0
            self._ledger.keep_checkpoints(self._jobs.get(run.job.plane, run.job.id), run.folder.checkpoints())
