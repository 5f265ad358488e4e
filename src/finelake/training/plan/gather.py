"""Gathering what a plan needs: files are read, service and resource manager asked; nothing is changed anywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeVar

from finelake.config.models import ModelCatalogue, ModelInfo
from finelake.config.settings import Privacy, Settings
from finelake.errors import ConfigError, InputError, ServiceError
from finelake.privacy.detect import Detector
from finelake.privacy.kinds import KINDS
from finelake.services.base import FineTuningService
from finelake.services.deployments import Deployments
from finelake.tokens.counter import ExampleCounter, counter_for
from finelake.training import identity
from finelake.training.data import TrainingData
from finelake.training.effects.upload import holds
from finelake.training.forms.choose import form_of
from finelake.training.machine.estimate import Machine, machine_of
from finelake.training.patience import Patience
from finelake.training.plan.content import FileContent, Scan, read_content
from finelake.training.plan.known import DataPlane, JobState, JobThere, Known, Resource, Unread
from finelake.training.plan.reckoning import reckon

_STATES: dict[str, JobState] = {
    "created": "waiting",
    "pending": "waiting",
    "queued": "waiting",
    "validating_files": "waiting",
    "resuming": "waiting",
    "running": "running",
    "pausing": "running",
    "paused": "paused",
    "succeeded": "over",
    "failed": "over",
    "cancelled": "over",
}

Found = TypeVar("Found")


def gather(
    *,
    settings: Settings,
    catalogue: ModelCatalogue,
    data: TrainingData,
    service: FineTuningService | Unread,
    patience: Patience | None,
    today: date,
) -> Known:
    """Read the files, and ask the service; what cannot be read is `Unread`, with the reason.

    Raises ConfigError for a model that the catalogue does not know.
    """
    model = catalogue.find(settings.model)
    run = identity.run_id(data, settings=settings, model=model)
    scan = _scan(settings, model)
    content = {file.split: read_content(file, scan) for file in (data.train, data.validation)}
    plane: DataPlane | Unread = Unread("the service was not asked")
    resource: Resource | Unread | None = None
    if isinstance(service, Unread):
        plane, resource = service, service if settings.service.kind == "azure" else None
    elif patience is not None:
        plane = _tried(lambda: _data_plane(service, patience, data, run))
        deployments = service.deployments
        if isinstance(deployments, Deployments) and settings.service.kind == "azure":
            resource = _tried(lambda: _resource(deployments, patience))
    return Known(
        today=today,
        settings=settings,
        catalogue=catalogue,
        model=model,
        counted_for=catalogue.find(data.model),
        data=data,
        content=content,
        reckoning=reckon(
            examples=content["train"].examples,
            tokens=content["train"].tokens,
            model=model,
            catalogue=catalogue,
            training=settings.training,
        ),
        tuned_deployment=identity.tuned_deployment(settings, run=run),
        base_deployment=identity.base_deployment(settings),
        service=plane,
        resource=resource,
        machine=_machine(settings, content["train"]) if settings.service.kind == "huggingface" else None,
    )


def _machine(settings: Settings, content: FileContent) -> Machine | Unread:
    """Look at model and device; examples whose tokens cannot be counted are taken to be as long as allowed."""
    local = settings.service.huggingface
    longest = content.tokens.longest if content.tokens is not None else local.context if local is not None else 0
    try:
        return machine_of(settings, longest=longest)
    except InputError as error:
        return Unread(str(error))


def _tried(read: Callable[[], Found]) -> Found | Unread:
    try:
        return read()
    except ServiceError as error:
        return Unread(str(error))


def _scan(settings: Settings, model: ModelInfo) -> Scan:
    return Scan(
        form=form_of(settings.training.method),
        counter=_counter(settings, model),
        limit=model.training_context,
        detector=_detector(settings.privacy),
        personal_sample=settings.plan.personal_sample,
    )


def _counter(settings: Settings, model: ModelInfo) -> ExampleCounter | None:
    try:
        encoding, overhead = model.counting()
    except ConfigError:
        return None
    return counter_for(encoding, overhead, settings.tokens.engine)


def _detector(privacy: Privacy) -> Detector:
    return Detector(
        policies={kind: getattr(privacy, kind) for kind in KINDS},
        phone_regions=privacy.phone_regions,
        allowed=frozenset(value.lower() for value in privacy.allow),
    )


def _data_plane(service: FineTuningService, patience: Patience, data: TrainingData, run: str) -> DataPlane:
    files = patience.ask(lambda: list(service.files()), action="listing uploaded files")
    jobs = patience.ask(lambda: list(service.jobs()), action="listing fine-tuning jobs")
    sizes = [getattr(file, "bytes", None) for file in files]
    ours = [job.id for job in jobs if str(getattr(job, "suffix", None) or "").endswith(run)]
    return DataPlane(
        files=len(files),
        bytes=sum(size for size in sizes if size),
        unsized=sum(not size for size in sizes),
        uploaded=frozenset(
            file.split for file in (data.train, data.validation) if any(holds(known, file) for known in files)
        ),
        jobs=tuple(
            JobThere(
                id=job.id,
                state=_STATES.get(str(getattr(job, "status", "")), "unknown"),
                training_type=str(getattr(job, "trainingType", None) or "").lower(),
            )
            for job in jobs
        ),
        own_job=ours[0] if ours else None,
    )


def _resource(deployments: Deployments, patience: Patience) -> Resource:
    location = patience.ask(deployments.location, action="looking at the account")
    return Resource(
        location=location,
        deployments=tuple(patience.ask(deployments.every, action="listing deployments")),
        quotas=_tried(lambda: patience.ask(lambda: deployments.quotas(location), action="reading the quotas")),
        offers=_tried(lambda: patience.ask(deployments.offers, action="listing the models of the account")),
    )
