"""Fine-tuning jobs: creation with its checks, the queue, and what can be asked of a job."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finelake.emulator.chatfile import holds_pictures, kind_of
from finelake.emulator.clock import Clock
from finelake.emulator.errors import ApiError, invalid, not_found
from finelake.emulator.files import FileRecord, FileService
from finelake.emulator.jobspec import JobSpec, parse_job
from finelake.emulator.plan import Plan
from finelake.emulator.registry import ModelRegistry
from finelake.emulator.state import Store
from finelake.emulator.wire import Json, Plane, new_id

MIN_EXAMPLES = 10
MAX_QUEUED = 20
MAX_JOBS = 100
WAITING = ("pending", "resuming")
ACTIVE = ("running", "pausing")
TERMINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job as stored; numbers that depend on the examples are None until it starts."""

    seq: int
    id: str
    plane: Plane
    created_at: float
    status: str
    spec: JobSpec
    tuned_name: str
    result_file: str
    started_at: float | None
    finished_at: float | None
    examples: int | None
    epochs: int | None
    batch_size: int | None
    total_steps: int | None
    last_step: int
    billed_tokens: int | None
    error: dict[str, Any] | None

    @property
    def plan(self) -> Plan:
        """Return the plan of a job that was started."""
        if self.examples is None or self.epochs is None or self.batch_size is None:
            raise ValueError(f"job {self.id} has no plan before it starts")
        return Plan(self.examples, self.epochs, self.batch_size, self.spec.seed)


def record_of(row: sqlite3.Row) -> JobRecord:
    """Read a row of the jobs table."""
    values = dict(row)
    values["spec"] = JobSpec.from_json(values["spec"])
    values["error"] = json.loads(values["error"]) if values["error"] else None
    return JobRecord(**values)


class JobService:
    """Create, find, pause, resume, cancel and delete jobs."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        files: FileService,
        models: ModelRegistry,
        folder: Path,
    ) -> None:
        self._store = store
        self._clock = clock
        self._files = files
        self._models = models
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def folder(self, job_id: str) -> Path:
        """Return the folder of a job."""
        return self._folder / job_id

    def training_path(self, job_id: str) -> Path:
        """Return the job's own copy of its training file."""
        return self._folder / job_id / "training.jsonl"

    def validation_path(self, job_id: str) -> Path:
        """Return the job's own copy of its validation file; absent when the job has none."""
        return self._folder / job_id / "validation.jsonl"

    def create(self, plane: Plane, body: Json) -> JobRecord:
        """Take a job into the queue; ApiError when the service would refuse it."""
        spec = parse_job(plane, body)
        model = self._models.find(plane, spec.model)
        if model is None or model.base.judge is not None:
            raise invalid(f"The specified base model '{spec.model}' does not exist or cannot be tuned.", param="model")
        if spec.method not in model.base.methods:
            raise invalid(
                f"The specified base model '{spec.model}' does not support fine-tuning with method '{spec.method}'.",
                param="method",
            )
        if spec.transformers is not None and model.base.source is None:
            raise invalid(f"'{spec.model}' has no weights here; leave transformers out.", param="transformers")
        files = [("training_file", spec.training_file), ("validation_file", spec.validation_file)]
        for param, file_id in files:
            if file_id is not None:
                self._check_file(plane, spec, file_id, param, vision=model.base.vision)
        body = {**json.loads(spec.to_json()), "model": model.name}
        with self._store.transaction():
            self._check_room(plane)
            return self._insert(plane, JobSpec(**body))

    def get(self, plane: Plane, job_id: str) -> JobRecord:
        """Return a job of a plane; 404 when there is none of that id."""
        row = self._store.row("SELECT * FROM jobs WHERE id = ? AND plane = ?", (job_id, plane))
        if row is None:
            raise not_found(f"Could not find fine tune: {job_id}")
        return record_of(row)

    def every(self, plane: Plane) -> list[JobRecord]:
        """Return the jobs of a plane, newest first."""
        return [
            record_of(row) for row in self._store.rows("SELECT * FROM jobs WHERE plane = ? ORDER BY seq DESC", (plane,))
        ]

    def cancel(self, plane: Plane, job_id: str) -> JobRecord:
        """End a job that is not over."""
        return self._move(plane, job_id, allowed=(*WAITING, *ACTIVE, "paused"), to="cancelled", event="Job cancelled.")

    def pause(self, plane: Plane, job_id: str) -> JobRecord:
        """Ask a running job, which has done a step, to stop at a checkpoint."""
        if self.get(plane, job_id).last_step < 1:
            raise ApiError(400, "unexpectedEntityState", "A job can be paused when it has done at least one step.")
        return self._move(plane, job_id, allowed=("running",), to="pausing", event="Job is being paused.")

    def resume(self, plane: Plane, job_id: str) -> JobRecord:
        """Put a paused job back into the queue."""
        return self._move(plane, job_id, allowed=("paused",), to="resuming", event="Job is being resumed.")

    def delete(self, plane: Plane, job_id: str) -> None:
        """Remove a job that is over, with its events, checkpoints and tuned model."""
        job = self.get(plane, job_id)
        if job.status not in TERMINAL:
            raise ApiError(409, "conflict", f"The job is {job.status}; cancel it before it is deleted.")
        with self._store.transaction():
            for table in ("steps", "events", "checkpoints"):
                self._store.write(f"DELETE FROM {table} WHERE job_id = ?", (job_id,))
            self._store.write("DELETE FROM jobs WHERE id = ?", (job_id,))
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def add_event(self, job_id: str, key: str, message: str, *, data: Json | None = None, level: str = "info") -> None:
        """Record an event once; `key` tells apart what a job that is started again would say twice."""
        self._store.write(
            "INSERT OR IGNORE INTO events (id, job_id, key, created_at, level, message, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                new_id("ftevent-", "azure"),
                job_id,
                key,
                self._clock.now(),
                level,
                message,
                json.dumps(data) if data else None,
            ),
        )

    def fail(self, job_id: str, *, code: str, message: str, param: str | None) -> None:
        """End a job with an error."""
        error = json.dumps({"code": code, "message": message, "param": param})
        with self._store.transaction():
            failed = self._store.write(
                "UPDATE jobs SET status = 'failed', finished_at = ?, error = ? WHERE id = ?"
                " AND status NOT IN ('succeeded', 'cancelled')",
                (self._clock.now(), error, job_id),
            )
            if failed:
                self.add_event(job_id, "failed", f"Job failed. {message}", level="error")

    def _check_file(self, plane: Plane, spec: JobSpec, file_id: str, param: str, *, vision: bool) -> None:
        try:
            record = self._files.get(plane, file_id)
        except ApiError:
            raise invalid(f"The {param} '{file_id}' does not exist.", param=param) from None
        if record.purpose != "fine-tune":
            raise invalid(f"The {param} must have the purpose 'fine-tune', not '{record.purpose}'.", param=param)
        status = self._files.status(record)
        if status == "error" or (status != "processed" and plane == "azure"):
            raise invalid(f"The {param} '{file_id}' has the status {status}; it must be processed.", param=param)
        if status == "processed":
            check_examples(record, param)
            self.check_kind(spec, file_id, param, vision=vision)

    def sees(self, job: JobRecord) -> bool:
        """Tell whether the model of a job takes pictures."""
        model = self._models.find(job.plane, job.spec.model)
        return model is not None and model.base.vision

    def check_kind(self, spec: JobSpec, file_id: str, param: str, *, vision: bool) -> None:
        """Raise 400 when a checked file is not for the job's method, or has pictures that the model does not see."""
        path = self._files.path(file_id)
        if kind_of(path) != spec.method:
            raise ApiError(
                400,
                "jsonlValidationFailed",
                f"The {param} is a {kind_of(path)} file; the method is {spec.method}.",
                param=param,
            )
        if not vision and holds_pictures(path):
            raise ApiError(400, "jsonlValidationFailed", f"The {param} has images, which this model does not take.")

    def _check_room(self, plane: Plane) -> None:
        jobs = self.every(plane)
        if sum(job.status in WAITING for job in jobs) > MAX_QUEUED:
            raise ApiError(429, "tooManyRequests", f"More than {MAX_QUEUED} jobs are waiting; try again later.")
        if len(jobs) >= MAX_JOBS and plane == "azure":
            raise ApiError(400, "quotaExceeded", f"The resource holds {MAX_JOBS} jobs; delete some that are over.")

    def _insert(self, plane: Plane, spec: JobSpec) -> JobRecord:
        job_id = new_id("ftjob-", plane)
        (self._folder / job_id).mkdir()
        os.link(self._files.path(spec.training_file), self.training_path(job_id))
        if spec.validation_file is not None:
            os.link(self._files.path(spec.validation_file), self.validation_path(job_id))
        self._store.write(
            "INSERT INTO jobs (id, plane, created_at, status, spec, tuned_name, result_file)"
            " VALUES (?, ?, ?, 'pending', ?, ?, ?)",
            (
                job_id,
                plane,
                self._clock.now(),
                spec.to_json(),
                _tuned_name(plane, job_id, spec),
                new_id("file-", plane),
            ),
        )
        self.add_event(job_id, "enqueued", _QUEUED[plane].format(job=job_id))
        return self.get(plane, job_id)

    def _move(self, plane: Plane, job_id: str, *, allowed: tuple[str, ...], to: str, event: str) -> JobRecord:
        with self._store.transaction():
            job = self.get(plane, job_id)
            if job.status not in allowed:
                raise ApiError(
                    400, "unexpectedEntityState", f"The job is {job.status}; this needs {', '.join(allowed)}."
                )
            finished = self._clock.now() if to in TERMINAL else None
            self._store.write("UPDATE jobs SET status = ?, finished_at = ? WHERE id = ?", (to, finished, job_id))
            self.add_event(job_id, f"{to} at step {job.last_step}", event)
        return self.get(plane, job_id)


def check_examples(record: FileRecord, param: str) -> None:
    """Raise 400 when a file has fewer examples than training needs."""
    if param == "training_file" and (record.examples or 0) < MIN_EXAMPLES:
        raise ApiError(
            400,
            "jsonlValidationFailed",
            f"Training file has {record.examples} example(s), but must have at least {MIN_EXAMPLES} examples.",
            param=param,
        )


_QUEUED = {
    "azure": "Job enqueued. Waiting for jobs ahead to complete.",
    "openai": "Created fine-tuning job: {job}",
}


def _tuned_name(plane: Plane, job_id: str, spec: JobSpec) -> str:
    root = spec.model.split(".ft-")[0]
    if plane == "azure":
        return f"{root}.ft-{job_id.removeprefix('ftjob-')}" + (f"-{spec.suffix}" if spec.suffix else "")
    root = spec.model.removeprefix("ft:").split(":")[0]
    return f"ft:{root}:finelake:{spec.suffix or ''}:{job_id[-8:]}"
