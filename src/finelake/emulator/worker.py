"""Background threads: one checks files, one starts due jobs, one records the time, two end
what nobody uses, and one for each running job."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from finelake.emulator.clock import Clock
from finelake.emulator.errors import ApiError
from finelake.emulator.files import FileService
from finelake.emulator.idleness import Idleness
from finelake.emulator.jobs import ACTIVE, WAITING, JobRecord, JobService, check_examples, record_of
from finelake.emulator.state import Store
from finelake.emulator.trainers import JobTrainer
from finelake.emulator.transformer.hosting import ChatServers

logger = logging.getLogger(__name__)

MAX_RUNNING = 3
_TICK_SECONDS = 0.05


class Worker:
    """Own the threads; jobs that ran when the service was killed go on at once."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        files: FileService,
        jobs: JobService,
        trainer: JobTrainer,
        servers: ChatServers,
        idleness: Idleness,
        queue_seconds: float,
        stopping: threading.Event,
    ) -> None:
        self._store = store
        self._clock = clock
        self._files = files
        self._jobs = jobs
        self._trainer = trainer
        self._servers = servers
        self._queue_seconds = queue_seconds
        self._stopping = stopping
        self._running: dict[str, threading.Thread] = {}
        self._loops = [
            threading.Thread(target=self._repeat, args=(step, pause), name=f"finelake-{step.__name__}", daemon=True)
            for step, pause in (
                (files.check_waiting, _TICK_SECONDS),
                (self._start_due, _TICK_SECONDS),
                (clock.persist, 1),
                (servers.end_idle, 1),
                (idleness.end_when_idle, 1),
            )
        ]

    def start(self) -> None:
        """Start the threads."""
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """End all threads at their next block and wait for them."""
        self._stopping.set()
        for thread in [*self._loops, *self._running.values()]:
            thread.join()
        self._servers.stop()
        self._clock.persist()

    def _repeat(self, step: Callable[[], None], pause: float) -> None:
        while not self._stopping.wait(pause):
            try:
                step()
            except Exception:
                logger.exception("a background step failed and is tried again")
                self._stopping.wait(1.0)

    def _start_due(self) -> None:
        self._running = {job_id: thread for job_id, thread in self._running.items() if thread.is_alive()}
        rows = self._store.rows("SELECT * FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled', 'paused')")
        waiting = [record_of(row) for row in rows]
        for job in sorted(waiting, key=lambda job: (job.status in WAITING, job.seq)):
            if job.id not in self._running and len(self._running) < MAX_RUNNING and self._is_due(job):
                thread = threading.Thread(target=self._run, args=(job,), name=job.id, daemon=True)
                self._running[job.id] = thread
                thread.start()

    def _is_due(self, job: JobRecord) -> bool:
        if job.status in ACTIVE or job.status == "resuming":
            return True
        if self._clock.now() < job.created_at + self._queue_seconds:
            return False
        return self.files_are_ready(job)

    def files_are_ready(self, job: JobRecord) -> bool:
        """Tell whether the files of a waiting job are checked; at OpenAI a job may wait for that, and fail by it."""
        for param, file_id in (
            ("training_file", job.spec.training_file),
            ("validation_file", job.spec.validation_file),
        ):
            if job.plane == "azure" or file_id is None:
                continue
            try:
                record = self._files.get(job.plane, file_id)
                status = self._files.status(record)
                if status == "error":
                    self._jobs.fail(job.id, code="invalid_file", message=record.details or "", param=param)
                if status != "processed":
                    return False
                check_examples(record, param)
                self._jobs.check_kind(job.spec, file_id, param, vision=self._jobs.sees(job))
            except ApiError as error:
                self._jobs.fail(job.id, code="invalid_file", message=error.message, param=param)
                return False
        return True

    def _run(self, job: JobRecord) -> None:
        try:
            started = self._store.write(
                "UPDATE jobs SET status = 'running' WHERE id = ? AND status IN ('pending', 'resuming', 'running')",
                (job.id,),
            )
            if started or job.status == "pausing":
                self._trainer.run(job)
        except Exception:
            logger.exception("job %s failed", job.id)
            self._jobs.fail(job.id, code="internalFailure", message="The service failed while it trained.", param=None)
