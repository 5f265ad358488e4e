"""What the service keeps of a job while it trains: steps, events, checkpoints, and how it ended. Each is kept once."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

from finelake.emulator.clock import Clock
from finelake.emulator.files import FileService
from finelake.emulator.jobs import ACTIVE, JobRecord, JobService
from finelake.emulator.metrics import StepMetrics, metrics_of, results_csv
from finelake.emulator.narration import end_events, start_events, step_event
from finelake.emulator.plan import REPORT_EVERY
from finelake.emulator.state import Store
from finelake.emulator.wire import new_id

logger = logging.getLogger(__name__)


class JobLedger:
    """Write what a job does; callers hold a transaction where several things belong together."""

    def __init__(self, *, store: Store, clock: Clock, jobs: JobService, files: FileService) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._files = files

    def status(self, job: JobRecord) -> str:
        """Return a job's status now; `deleted` when it is gone."""
        row = self._store.row("SELECT status FROM jobs WHERE id = ?", (job.id,))
        return "deleted" if row is None else str(row["status"])

    def begin(self, job: JobRecord) -> bool:
        """Say that a job's training starts; False where the job is not to train any more."""
        with self._store.transaction():
            if self.status(job) not in ACTIVE:
                return False
            for key, text in start_events(job):
                self._jobs.add_event(job.id, key, text)
        return True

    def record(self, job: JobRecord, block: Sequence[StepMetrics], *, say: bool = False) -> bool:
        """Keep the numbers of steps, and an event of the last one where it is due or asked for; tell if any was new."""
        new = 0
        for done in block:
            new += self._store.write(
                "INSERT OR IGNORE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job.id,
                    done.step,
                    done.train_loss,
                    done.train_accuracy,
                    done.valid_loss,
                    done.valid_accuracy,
                    done.full_valid_loss,
                    done.full_valid_accuracy,
                ),
            )
        last = block[-1]
        self._store.write("UPDATE jobs SET last_step = MAX(last_step, ?) WHERE id = ?", (last.step, job.id))
        if say or last.step == 1 or last.step % REPORT_EVERY == 0:
            text, data = step_event(job, last)
            self._jobs.add_event(job.id, f"step {last.step}", text, data=data)
        return new > 0

    def record_told(self, job: JobRecord, metrics: StepMetrics, *, total_steps: int, tokens: int) -> bool:
        """Keep what a training process told of a step; tell whether it was new. `tokens` are those learned so far."""
        self._store.write(
            "UPDATE jobs SET total_steps = ?, billed_tokens = MAX(COALESCE(billed_tokens, 0), ?) WHERE id = ?",
            (total_steps, tokens, job.id),
        )
        return self.record(replace(job, total_steps=total_steps), [metrics], say=metrics.valid_loss is not None)

    def keep_checkpoints(self, job: JobRecord, steps: Sequence[int]) -> None:
        """Keep exactly the checkpoints of these steps; those before the last numbers were told wait for them."""
        for row in self._store.rows("SELECT step FROM checkpoints WHERE job_id = ?", (job.id,)):
            if row["step"] not in steps:
                self._store.write("DELETE FROM checkpoints WHERE job_id = ? AND step = ?", (job.id, row["step"]))
        for step in steps:
            if step <= job.last_step:
                self.add_checkpoint(job, self.metrics_at(job, step))

    def metrics_at(self, job: JobRecord, step: int) -> StepMetrics:
        """Return the numbers of a step; empty ones where none were told."""
        row = self._store.row("SELECT * FROM steps WHERE job_id = ? AND step = ?", (job.id, step))
        return StepMetrics(step, None, None) if row is None else metrics_of(row)

    def add_checkpoint(self, job: JobRecord, metrics: StepMetrics) -> None:
        """Keep a checkpoint; that of the last step bears the name of the tuned model."""
        name = job.tuned_name if metrics.step == job.total_steps else f"{job.tuned_name}:ckpt-step-{metrics.step}"
        self._store.write(
            "INSERT OR IGNORE INTO checkpoints (id, job_id, step, name, created_at, metrics) VALUES (?, ?, ?, ?, ?, ?)",
            (
                new_id("ftchkpt-", job.plane),
                job.id,
                metrics.step,
                name,
                self._clock.now(),
                json.dumps(metrics.view()),
            ),
        )
        if job.plane == "openai":
            self._jobs.add_event(job.id, f"checkpoint {metrics.step}", f"Checkpoint created at step {metrics.step}")

    def pause(self, job: JobRecord) -> None:
        """Note that a job that was to be paused has stopped, at its last step."""
        with self._store.transaction():
            paused = self._store.write(
                "UPDATE jobs SET status = 'paused' WHERE id = ? AND status = 'pausing'", (job.id,)
            )
            if paused:
                step = self._jobs.get(job.plane, job.id).last_step
                self._jobs.add_event(job.id, f"paused at step {step}", f"Job paused at step {step}.")

    def succeed(self, job: JobRecord) -> None:
        """End a job well, with its results file."""
        rows = self._store.rows("SELECT * FROM steps WHERE job_id = ? ORDER BY step", (job.id,))
        content = results_csv([metrics_of(row) for row in rows])
        with self._store.transaction():
            changed = self._store.write(
                "UPDATE jobs SET status = 'succeeded', finished_at = ?"
                " WHERE id = ? AND status IN ('running', 'pausing')",
                (self._clock.now(), job.id),
            )
            if changed:
                self._files.add_result(job.plane, job.result_file, content)
                for key, text in end_events(job):
                    self._jobs.add_event(job.id, key, text)
        logger.info("job %s: training ended after %d steps", job.id, len(rows))
