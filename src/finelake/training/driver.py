"""The training run: each step recorded before the next begins, so that a second start goes on where the first was.

The run id is derived from data, model, settings and resource: the same configuration finds its own run, and the
service is looked through before anything that costs is asked for.
"""

from __future__ import annotations

import logging

from pyspark.sql import SparkSession

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.lineage.journals import ORIGIN
from finelake.lineage.record import training_origin
from finelake.logs import bound
from finelake.services.connect import connect
from finelake.tables import names
from finelake.tables.names import table_ref
from finelake.tables.runs import DeltaJournal
from finelake.tracking.track import LiveMetrics, begin, trained
from finelake.training import identity
from finelake.training.clock import Clock
from finelake.training.data import read_training_data
from finelake.training.diagnosis.finding import Finding
from finelake.training.effects.deployment import SUCCEEDED
from finelake.training.effects.log import EffectLog
from finelake.training.effects.upload import UploadPlan
from finelake.training.outcome import TrainingOutcome
from finelake.training.plan.run import plan_first
from finelake.training.progress import Progress, Several
from finelake.training.steps import (
    BASE,
    DEPLOY,
    JOB,
    SMOKE,
    STEPS,
    UPLOAD,
    WATCH,
    RunContext,
    chosen_checkpoint,
    deploy_base,
    deploy_tuned,
    deployment_name,
    send_test_chats,
)
from finelake.training.summary import summary
from finelake.training.telemetry import Telemetry

logger = logging.getLogger(__name__)


def train(
    spark: SparkSession,
    settings: Settings,
    *,
    clock: Clock | None = None,
    progress: Progress | None = None,
    take_over: bool = False,
) -> TrainingOutcome:
    """Train and deploy on the published files of `settings.output`, or go on with a run that was begun.

    A finished run returns its outcome; a deployment that expired since is made again. Ctrl-C leaves the remote job
    running. `take_over` takes the run from a driver that seems to be alive. Raises ConfigError, InputError and
    ServiceError with place and remedy, PlanRefusedError when the plan is refused before anything is spent, RunBusyError
    when another driver works on the run.
    """
    catalogue = catalogue_of(settings)
    model = catalogue.find(settings.model)
    data = read_training_data(settings.output.path)
    run, runs = identity.run_id(data, settings=settings, model=model), table_ref(settings.tables, names.RUNS)
    clock, lease_seconds = clock or Clock(), settings.training.lease_seconds

    def log(journal: str) -> EffectLog:
        return EffectLog(DeltaJournal(spark, runs, run_id=journal), clock=clock, lease_seconds=lease_seconds)

    tracked, observer = begin(settings, data, run=run), progress or Progress()
    with connect(settings.service, tracking=settings.tracking) as service:
        context = RunContext(
            settings=settings,
            service=service,
            data=data,
            model=model,
            catalogue=catalogue,
            uploads=UploadPlan.of(settings.training),
            log=log(run),
            file_log=lambda file: log(identity.file_journal(settings, file)),
            telemetry=lambda job_id: Telemetry(spark, settings.tables, run_id=run, job_id=job_id),
            clock=clock,
            progress=observer if tracked is None else Several(observer, LiveMetrics(tracked)),
        )
        outcome = drive(context, take_over=take_over)
    trained(spark, settings, outcome, tracked)
    return outcome


def drive(context: RunContext, *, take_over: bool = False) -> TrainingOutcome:
    """Do the steps that are left, under the run's lease."""
    service, log = context.service, context.log
    context.patience.ask(service.greet, action="greeting the service")
    if service.deployments is not None:
        context.patience.ask(service.deployments.greet, action="greeting the resource manager")
    if log.result(SMOKE) is not None:
        return _finished_before(context)
    log.acquire(take_over=take_over)
    try:
        _go_on(context)
        return _outcome(context, finished_before=False)
    finally:
        log.release()


def _go_on(context: RunContext) -> None:
    if context.log.attempts(JOB) == 0:
        plan_first(context)
    if context.log.result(ORIGIN) is None:
        context.log.record_result(ORIGIN, training_origin(context.settings, context.data))
    for step in STEPS:
        if context.log.result(step.name) is not None:
            context.progress.finished(step.name, f"{summary(step.name, context.recorded(step.name))} (earlier)")
            continue
        context.progress.started(step.name, step.title)
        try:
            with bound(run=context.log.run_id, step=step.name):
                record = step.work(context)
        except KeyboardInterrupt:
            _say_how_to_go_on(context)
            raise
        context.log.record_result(step.name, record)
        context.progress.finished(step.name, summary(step.name, record))
        if step.name == WATCH:
            chosen_checkpoint(context)


def _say_how_to_go_on(context: RunContext) -> None:
    job = context.log.result(JOB)
    if job is None:
        logger.warning("Stopped. Run the same again to go on with run %s.", context.log.run_id)
    elif context.log.result(WATCH) is None:
        logger.warning(
            "Stopped watching. Job %s goes on at %s: run the same again to go on from here, or cancel the job there.",
            job["job_id"],
            context.service.contact.endpoint,
        )
    else:
        logger.warning("Stopped after job %s. Run the same again to go on with its deployment.", job["job_id"])


def _finished_before(context: RunContext) -> TrainingOutcome:
    """Give a finished run's outcome; Developer tier deployments live 24 hours, so see that they are still there."""
    context.progress.noted(f"run {context.log.run_id} was finished before; nothing is uploaded or trained again")
    try:
        for recorded, work in ((DEPLOY, deploy_tuned), (BASE, deploy_base)):
            name = context.recorded(recorded)["name"]
            if recorded == DEPLOY and name != deployment_name(context):
                context.progress.noted(f"deployment {name} is of another checkpoint than is asked for now")
                _redeploy(context)
            elif _is_gone(context, name):
                context.progress.noted(f"deployment {name} is gone and is made again")
                _hold(context)
                work(context)
    finally:
        context.log.release()
    return _outcome(context, finished_before=True)


def _redeploy(context: RunContext) -> None:
    _hold(context)
    context.log.record_result(DEPLOY, deploy_tuned(context))
    context.log.record_result(SMOKE, send_test_chats(context))


def _hold(context: RunContext) -> None:
    if not context.log.is_held:
        context.log.acquire()


def _is_gone(context: RunContext, name: str) -> bool:
    deployments = context.service.deployments
    if deployments is None:
        return False
    found = context.patience.ask(lambda: deployments.find(name), action=f"looking up deployment {name}")
    return found is None or found.state != SUCCEEDED


def _outcome(context: RunContext, *, finished_before: bool) -> TrainingOutcome:
    files, ended, chosen = context.recorded(UPLOAD), context.recorded(WATCH), chosen_checkpoint(context)
    return TrainingOutcome(
        run_id=context.log.run_id,
        job_id=context.recorded(JOB)["job_id"],
        model=context.settings.model,
        fine_tuned_model=str(ended["fine_tuned_model"] or chosen.model),
        deployment=context.recorded(DEPLOY)["name"],
        deployed_model=chosen.model,
        base_deployment=context.recorded(BASE)["name"],
        training_file_id=files["train"],
        validation_file_id=files["validation"],
        checkpoints=tuple(ended["checkpoints"]),
        trained_tokens=ended["trained_tokens"],
        seconds=ended["seconds"],
        finished_before=finished_before,
        stopped_early=ended.get("stopped_early"),
        findings=tuple(
            found.sentence
            for found in (Finding(**record) for record in ended.get("findings", []))
            if found.needs_attention
        ),
        portal=tuple(address for step in (JOB, DEPLOY) if (address := context.recorded(step).get("portal"))),
    )
