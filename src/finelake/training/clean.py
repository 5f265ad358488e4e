"""What failed runs left at the service: listed, and removed on request.

A run has failed when it has no end in its journal, no driver works on it, and its job has ended or was never made.
Its deployment and the files that no other run needs are left over; the tuned model stays, for it costs nothing and
was paid for. The base model's deployment is shared and stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob
from pyspark.sql import SparkSession

from finelake.config.settings import Settings
from finelake.lineage.journals import is_training
from finelake.services.base import FineTuningService
from finelake.services.connect import connect
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.runs import DeltaJournal, run_ids
from finelake.training.clock import Clock
from finelake.training.deploy import lifetime
from finelake.training.effects.log import CLEANED, EffectLog
from finelake.training.effects.removal import remove_deployment, remove_file
from finelake.training.patience import Patience
from finelake.training.steps import DEPLOY, JOB, SMOKE, UPLOAD

_ENDED = {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True, slots=True)
class LeftOver:
    """One thing at the service: `kind` deployment, file or job; a job is listed only, as it may be worth its money."""

    run_id: str
    kind: str
    name: str
    note: str


def clean(
    spark: SparkSession, settings: Settings, *, remove: bool, run: str | None = None, clock: Clock | None = None
) -> list[LeftOver]:
    """List what failed runs left, those of `run` alone when given; with `remove`, remove it.

    Raises ServiceError when the service refuses, RunBusyError when a driver started on such a run meanwhile.
    """
    clock = clock or Clock()
    with connect(settings.service, tracking=settings.tracking) as service:
        patience = Patience(service.contact, clock, settings.training.poll_seconds, service.renew)
        cleaning = Cleaning(service, patience, _logs(spark, settings, clock))
        found = [one for one in cleaning.left_overs() if run in {None, one.run_id}]
        if remove:
            cleaning.remove(found, timeout_seconds=settings.deployment.ready_timeout_seconds)
        return found


def _logs(spark: SparkSession, settings: Settings, clock: Clock) -> list[EffectLog]:
    runs = table_ref(settings.tables, names.RUNS)
    seconds = settings.training.lease_seconds
    return [
        EffectLog(DeltaJournal(spark, runs, run_id=one), clock=clock, lease_seconds=seconds)
        for one in run_ids(spark, runs)
        if is_training(one)
    ]


@dataclass(frozen=True, slots=True)
class Cleaning:
    """The runs of one table, and the service that they used."""

    service: FineTuningService
    patience: Patience
    logs: list[EffectLog]

    def left_overs(self) -> list[LeftOver]:
        """List what failed runs left, run by run."""
        jobs = {
            job.id: str(getattr(job, "status", "unknown"))
            for job in self.patience.ask(self._jobs, action="listing jobs")
        }
        needed = {
            file_id for log in self.logs if not _failed(log, jobs) for file_id in (log.result(UPLOAD) or {}).values()
        }
        present = {file.id for file in self.patience.ask(self._files, action="listing files")}
        found: list[LeftOver] = []
        for log in self.logs:
            if _failed(log, jobs):
                found += [*self._deployments(log), *self._uploaded(log, present - needed)]
            elif log.result(SMOKE) is None and log.busy_with() is None:
                found.append(_going_on(log, jobs))
        return found

    def remove(self, found: list[LeftOver], *, timeout_seconds: float) -> None:
        """Remove deployments, then files, and mark the runs, so that their next start begins anew."""
        for log in self.logs:
            own = [one for one in found if one.run_id == log.run_id and one.kind != "job"]
            if not own:
                continue
            log.acquire()
            try:
                for one in own:
                    log.fence()
                    self._remove(one, timeout_seconds)
                log.record_result(CLEANED, {"removed": [one.name for one in own]})
            finally:
                log.release()

    def _remove(self, one: LeftOver, timeout_seconds: float) -> None:
        if one.kind == "file":
            remove_file(self.service, one.name, patience=self.patience)
        elif self.service.deployments is not None:
            remove_deployment(
                self.service.deployments, one.name, timeout_seconds=timeout_seconds, patience=self.patience
            )

    def _deployments(self, log: EffectLog) -> Iterator[LeftOver]:
        asked, deployments = log.intent(DEPLOY), self.service.deployments
        if asked is None or deployments is None:
            return
        name = str(asked["name"])
        found = self.patience.ask(lambda: deployments.find(name), action=f"looking up deployment {name}")
        if found is not None and found.model == asked["model"]:
            yield LeftOver(log.run_id, "deployment", name, f"{found.state}, {lifetime(found)[1]}")

    def _uploaded(self, log: EffectLog, removable: set[str]) -> Iterator[LeftOver]:
        for split, file_id in (log.result(UPLOAD) or {}).items():
            if file_id in removable:
                yield LeftOver(log.run_id, "file", file_id, f"the {split} file; no other run needs it")

    def _jobs(self) -> list[FineTuningJob]:
        return list(self.service.jobs())

    def _files(self) -> list[FileObject]:
        return list(self.service.files())


def _failed(log: EffectLog, jobs: dict[str, str]) -> bool:
    if log.result(SMOKE) is not None or log.busy_with() is not None:
        return False
    job = log.result(JOB)
    # A job that was asked for but not recorded may go on at the service: its next start must find it first.
    open_job = job is None and log.intent(JOB) is not None
    return not open_job and (job is None or jobs.get(str(job["job_id"]), "failed") in _ENDED)


def _going_on(log: EffectLog, jobs: dict[str, str]) -> LeftOver:
    job = (log.result(JOB) or {}).get("job_id")
    note = f"is {jobs.get(str(job), 'unknown')}" if job else "was asked for, and may be there"
    return LeftOver(
        log.run_id, "job", str(job or "not recorded"), f"{note}; go on with `finelake train`, or end it with cancel"
    )
