"""Making a plan from settings alone, as `finelake plan` does, and within a training run before it spends."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, date, datetime

from finelake.config.catalogue import catalogue_of
from finelake.config.settings import Settings
from finelake.errors import FinelakeError
from finelake.services.base import FineTuningService
from finelake.services.connect import connect
from finelake.training.clock import Clock
from finelake.training.data import read_training_data
from finelake.training.patience import Patience
from finelake.training.plan.gather import gather
from finelake.training.plan.known import Unread
from finelake.training.plan.make import JobPlan, make_plan
from finelake.training.steps import RunContext

PLAN = "plan"


def plan_job(settings: Settings, *, clock: Clock | None = None) -> JobPlan:
    """Plan the training of the published files of `settings.output`; a service that is not reached leaves unknowns.

    Raises InputError when nothing is published, ConfigError for an unknown model.
    """
    clock = clock or Clock()
    catalogue = catalogue_of(settings)
    data = read_training_data(settings.output.path)
    with ExitStack() as stack:
        service = _reached(settings, stack)
        known = gather(
            settings=settings,
            catalogue=catalogue,
            data=data,
            service=service,
            patience=None if isinstance(service, Unread) else _patience(service, settings, clock),
            today=_today(clock),
        )
    return make_plan(known)


def plan_first(context: RunContext) -> None:
    """Make the plan of a run and record it, before the run spends. Raises PlanRefusedError that names each breach.

    Raises ConfigError for a method whose jobs are not created.
    """
    context.service.job_body(context.settings.training)
    context.progress.started(PLAN, "check what will be spent, and what could fail")
    plan = make_plan(
        gather(
            settings=context.settings,
            catalogue=context.catalogue,
            data=context.data,
            service=context.service,
            patience=context.patience,
            today=_today(context.clock),
        )
    )
    plan.require()
    for _, finding in plan.findings:
        if finding.verdict == "warn":
            context.progress.noted(f"{finding.check}: {finding.found}. {finding.remedy}")
    context.log.record_result(PLAN, plan.as_record())
    context.progress.finished(PLAN, summary(plan))


def summary(plan: JobPlan) -> str:
    """Say in a line what a plan comes to."""
    counts, reckoning = plan.counts, plan.reckoning
    billed = "tokens unknown" if reckoning.billed is None else f"{reckoning.billed} tokens"
    price = "price unknown" if reckoning.price is None else f"{reckoning.price.amount} {reckoning.price.currency}"
    return f"{billed}, {price}; {counts['warn']} warnings, {counts['unknown']} unknown"


def _reached(settings: Settings, stack: ExitStack) -> FineTuningService | Unread:
    try:
        service = stack.enter_context(connect(settings.service, tracking=settings.tracking))
        service.greet()
    except FinelakeError as error:
        return Unread(str(error))
    return service


def _patience(service: FineTuningService, settings: Settings, clock: Clock) -> Patience:
    return Patience(contact=service.contact, clock=clock, pause=settings.training.poll_seconds, renew=service.renew)


def _today(clock: Clock) -> date:
    return datetime.fromtimestamp(clock.wall(), UTC).date()
