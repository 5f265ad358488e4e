"""The steps of a training run: each does its work at the service and gives what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finelake.config.models import ModelCatalogue, ModelInfo
from finelake.config.settings import Settings
from finelake.errors import FinelakeError, ServiceError
from finelake.services.base import FineTuningService
from finelake.services.deployed import ModelAddress, Target
from finelake.services.portal import deployment_page, job_page
from finelake.training import identity
from finelake.training.checkpoint import Candidate, Choice, choose
from finelake.training.clock import Clock
from finelake.training.data import DataFile, TrainingData
from finelake.training.deploy import wait_until_answers, wait_until_provisioned
from finelake.training.effects.deployment import DeploymentEffect
from finelake.training.effects.job import JobRequest, ensure_job
from finelake.training.effects.log import EffectLog
from finelake.training.effects.registration import Registration
from finelake.training.effects.stop import EarlyStopper
from finelake.training.effects.upload import UploadPlan, ensure_uploaded
from finelake.training.ended import checkpoints_of, error_of, meaning, results_of, seconds_of
from finelake.training.failure import explain_end
from finelake.training.history import Trained
from finelake.training.patience import MISSING_SECONDS, Patience
from finelake.training.progress import Progress
from finelake.training.smoke import chat
from finelake.training.telemetry import TelemetrySink
from finelake.training.watch import Deadline, watch_job

Record = dict[str, Any]

UPLOAD, JOB, WATCH, DEPLOY, BASE, SMOKE = "upload", "job", "watch", "deploy", "base", "smoke"

_SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class RunContext:
    """What every step of one run works with; `file_log` opens the log of a file, `telemetry` that of a job."""

    settings: Settings
    service: FineTuningService
    data: TrainingData
    model: ModelInfo
    catalogue: ModelCatalogue
    uploads: UploadPlan
    log: EffectLog
    file_log: Callable[[DataFile], EffectLog]
    telemetry: Callable[[str], TelemetrySink]
    clock: Clock
    progress: Progress

    @property
    def patience(self) -> Patience:
        """How to ask the service again; while it waits, the run's lease is kept."""
        patience = Patience(
            contact=self.service.contact,
            clock=self.clock,
            pause=self.settings.training.poll_seconds,
            renew=self.service.renew,
        )
        return patience.keeping(self.log.keep, every=self.log.lease_seconds / 3)

    def recorded(self, step: str) -> Record:
        """Give what a step recorded; steps run in order, so it is there for every step before the current one."""
        record = self.log.result(step)
        if record is None:
            raise FinelakeError(f"Step {step} of run {self.log.run_id} was asked for before it was done.")
        return record


@dataclass(frozen=True, slots=True)
class Step:
    """A step: its name in the run log, what it does in words, and the work."""

    name: str
    title: str
    work: Callable[[RunContext], Record]


def upload(context: RunContext) -> Record:
    """Upload the train and validation files, or find them uploaded."""
    return {
        file.split: ensure_uploaded(
            context.service,
            file,
            name=identity.upload_name(context.settings, file),
            plan=context.uploads,
            run_log=context.log,
            file_log=context.file_log(file),
            patience=context.patience,
            progress=context.progress,
        )
        for file in (context.data.train, context.data.validation)
    }


def create_job(context: RunContext) -> Record:
    """Create the fine-tuning job, or find the one that an earlier start created."""
    settings, files = context.settings, context.recorded(UPLOAD)
    request = JobRequest(
        model=settings.model,
        training_file=files["train"],
        validation_file=files["validation"],
        run=context.log.run_id,
        suffix=identity.job_suffix(settings, run=context.log.run_id, longest=context.catalogue.limits.max_suffix_chars),
        seed=settings.training.seed,
        body=context.service.job_body(settings.training),
    )
    job = ensure_job(context.service, request, key=JOB, log=context.log, patience=context.patience)
    context.progress.noted(f"fine-tuning job {job.id} ({getattr(job, 'status', 'created')})")
    return {"job_id": job.id, "portal": job_page(settings.service, job.id)}


def watch(context: RunContext) -> Record:
    """Watch the job to its end and keep what it told in Delta, before the end is recorded."""
    training, job_id = context.settings.training, context.recorded(JOB)["job_id"]
    began, train = context.clock.now(), context.data.train
    stopper = EarlyStopper(
        context.service, job_id, config=training.early_stop, log=context.log, patience=context.patience
    )
    watched = watch_job(
        context.service,
        job_id,
        data=Trained(train.examples, train.tokens),
        deadline=Deadline(training.deadline_hours * 3600.0, training.at_deadline, context.log.seconds_since(JOB)),
        patience=context.patience,
        progress=context.progress,
        stopper=stopper,
    )
    job = watched.job
    telemetry = context.telemetry(job_id)
    results = results_of(context.service, job, patience=context.patience)
    telemetry.record_events(watched.events, results)
    wait_seconds = context.settings.deployment.ready_timeout_seconds if watched.stopped is not None else 0.0
    checkpoints = checkpoints_of(context.service, job_id, wait_seconds=wait_seconds, patience=context.patience)
    telemetry.record_checkpoints(checkpoints)
    return {
        "status": str(job.status),
        "fine_tuned_model": getattr(job, "fine_tuned_model", None),
        "trained_tokens": getattr(job, "trained_tokens", None),
        "seconds": seconds_of(job, watched=context.clock.now() - began),
        "checkpoints": [item.model for item in checkpoints],
        "measured": [item.as_record() for item in checkpoints],
        "findings": [finding.as_record() for finding in meaning(watched, results)],
        "stopped_early": watched.stopped,
        "error": error_of(job),
    }


def deploy_tuned(context: RunContext) -> Record:
    """Deploy the chosen checkpoint and wait until it answers. Raises ServiceError when there is none."""
    settings, chosen = context.settings, chosen_checkpoint(context)
    name, job_id = deployment_name(context), context.recorded(JOB)["job_id"]
    registered = _registration(context).tuned(chosen.model, job_id=job_id, step=chosen.step)
    if context.service.deployments is not None:
        address = identity.tuned_address(chosen.model, context.model)
        _deploy(context, DEPLOY, name, address, sku=settings.deployment.sku)
    _wait(context, name)
    where = deployment_page(settings.service, name) if context.service.deployments is not None else None
    context.progress.noted(f"deployment {name} serves {chosen.model}: {chosen.why}")
    return {
        "name": name,
        "model": chosen.model,
        "step": chosen.step,
        "why": chosen.why,
        "sku": settings.deployment.sku if context.service.deployments is not None else None,
        "portal": where,
        **({} if registered is None else {"registered": registered}),
    }


def deploy_base(context: RunContext) -> Record:
    """See that the model before tuning answers too; on Azure it needs a deployment of its own."""
    settings = context.settings
    name = settings.model
    if context.service.deployments is not None:
        name = identity.base_deployment(settings)
        address = identity.base_address(settings, context.model)
        _registration(context).base(address.name)
        _deploy(context, BASE, name, address, sku=settings.deployment.base_sku)
    _wait(context, name)
    return {"name": name}


def send_test_chats(context: RunContext) -> Record:
    """Send test chats to the tuned model."""
    chats = chat(
        context.service,
        context.recorded(DEPLOY)["name"],
        config=context.settings.evaluation,
        test_file=context.data.test.path,
        patience=context.patience,
    )
    return {"chats": [item.as_record() for item in chats]}


def chosen_checkpoint(context: RunContext) -> Choice:
    """Choose what of the ended job is deployed. Raises ServiceError that explains why there is nothing."""
    ended, job_id = context.recorded(WATCH), context.recorded(JOB)["job_id"]
    succeeded = ended["status"] == _SUCCEEDED and bool(ended["fine_tuned_model"])
    stopped = ended.get("stopped_early")
    if not succeeded and not stopped:
        raise explain_end(job_id, ended["status"], ended["error"])
    choice = choose(
        [Candidate.of_record(one) for one in ended.get("measured", [])],
        policy=context.settings.deployment.checkpoint if succeeded else "best",
        tuned=str(ended["fine_tuned_model"]) if succeeded else None,
    )
    if choice is None:
        raise ServiceError(
            f"Job {job_id} was stopped early and is {ended['status']}, and the service lists no checkpoint of it, so "
            f"there is nothing to deploy. {stopped} Count training.attempt up to train again."
        )
    return choice


def deployment_name(context: RunContext) -> str:
    """Name the deployment of the chosen checkpoint; where there are no deployments, the model itself."""
    chosen = chosen_checkpoint(context)
    if context.service.deployments is None:
        return chosen.model
    return identity.tuned_deployment(context.settings, run=context.log.run_id, step=chosen.step)


STEPS = (
    Step(UPLOAD, "upload training and validation file", upload),
    Step(JOB, "create the fine-tuning job", create_job),
    Step(WATCH, "watch the job", watch),
    Step(DEPLOY, "deploy the tuned model", deploy_tuned),
    Step(BASE, "see that the base model answers", deploy_base),
    Step(SMOKE, "send test chats", send_test_chats),
)


def _registration(context: RunContext) -> Registration:
    return Registration(
        settings=context.settings, run=context.log.run_id, patience=context.patience, progress=context.progress
    )


def _deploy(context: RunContext, key: str, name: str, address: ModelAddress, *, sku: str) -> None:
    if context.service.deployments is None:
        return
    patience = context.patience
    effect = DeploymentEffect(
        deployments=context.service.deployments,
        target=Target(name=name, model=address, sku=sku, capacity=context.settings.deployment.capacity),
        key=key,
        may_replace=key == DEPLOY,
        log=context.log,
        patience=patience,
        progress=context.progress,
    )
    deadline = patience.clock.now() + context.settings.deployment.ready_timeout_seconds
    effect.ensure(deadline=deadline)
    wait_until_provisioned(
        effect.deployments, effect.target, deadline=deadline, patience=patience, progress=context.progress
    )


def _wait(context: RunContext, name: str) -> None:
    timeout = context.settings.deployment.ready_timeout_seconds
    wait_until_answers(
        context.service,
        name,
        length_parameter=context.settings.evaluation.length_parameter,
        # Without a deployment there is nothing to become ready: an unknown model stays unknown.
        timeout_seconds=timeout if context.service.deployments is not None else min(timeout, MISSING_SECONDS),
        patience=context.patience,
        progress=context.progress,
    )
