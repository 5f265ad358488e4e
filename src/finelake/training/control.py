"""Cancel, pause or resume the job of a run, beside the driver that watches it."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import SparkSession

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.errors import InputError
from finelake.services.base import FineTuningService
from finelake.services.connect import connect
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.runs import RunLog
from finelake.training import identity
from finelake.training.clock import Clock
from finelake.training.data import read_training_data
from finelake.training.effects.control import Control, control_job
from finelake.training.patience import Patience
from finelake.training.steps import JOB


@dataclass(frozen=True, slots=True)
class Controlled:
    """A job that was asked to do something, and its state right after."""

    job_id: str
    control: Control
    state: str


def control_run(
    spark: SparkSession, settings: Settings, control: Control, *, job_id: str | None = None, clock: Clock | None = None
) -> Controlled:
    """Cancel, pause or resume a job: `job_id`, else that of the run of these settings and published files.

    Raises InputError when the run has no job, ServiceError when the service refuses.
    """
    with connect(settings.service, tracking=settings.tracking) as service:
        patience = Patience(service.contact, clock or Clock(), settings.training.poll_seconds, service.renew)
        job = job_id or _job_of(spark, settings, service, patience)
        return Controlled(job, control, control_job(service, job, control=control, patience=patience))


def _job_of(spark: SparkSession, settings: Settings, service: FineTuningService, patience: Patience) -> str:
    catalogue = catalogue_of(settings)
    data = read_training_data(settings.output.path)
    run = identity.run_id(data, settings=settings, model=catalogue.find(settings.model))
    recorded = RunLog(spark, table_ref(settings.tables, names.RUNS), run_id=run).result(JOB)
    if recorded is not None:
        return str(recorded["job_id"])
    jobs = patience.ask(lambda: list(service.jobs()), action="listing fine-tuning jobs")
    for job in jobs:
        if any(str(getattr(job, name, None) or "").endswith(run) for name in ("suffix", "user_provided_suffix")):
            return job.id
    raise InputError(
        f"Run {run}, which these settings and published files stand for, has no job yet. Name another job with --job."
    )
