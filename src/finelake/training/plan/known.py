"""What is known before money is spent: settings, catalogue, files and their content, the service, the resource."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from finelake.config.models import ModelCatalogue, ModelInfo
from finelake.config.settings import Settings
from finelake.services.deployed import Deployed
from finelake.services.offers import Offer, Quota
from finelake.training.data import DataFile, TrainingData
from finelake.training.machine.estimate import Machine
from finelake.training.plan.content import FileContent
from finelake.training.plan.reckoning import Reckoning

JobState = Literal["waiting", "running", "paused", "over", "unknown"]


@dataclass(frozen=True, slots=True)
class Unread:
    """In the place of something that could not be read, with the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class JobThere:
    """A job at the service; `training_type` in lower case, empty where the service does not say it."""

    id: str
    state: JobState
    training_type: str


@dataclass(frozen=True, slots=True)
class DataPlane:
    """Files for fine-tuning and jobs at the service; `uploaded` are the splits whose content is there already.

    `unsized` counts the files whose size the service does not say (yet). `own_job` is this very run's job.
    """

    files: int
    bytes: int
    unsized: int
    uploaded: frozenset[str]
    jobs: tuple[JobThere, ...]
    own_job: str | None


@dataclass(frozen=True, slots=True)
class Resource:
    """The account behind the service, as ARM tells it."""

    location: str
    deployments: tuple[Deployed, ...]
    quotas: tuple[Quota, ...] | Unread
    offers: tuple[Offer, ...] | Unread


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that checks look at. `resource` is None where the service has no deployments of its own.

    `machine` is None where the service trains on machines of its own.
    """

    today: date
    settings: Settings
    catalogue: ModelCatalogue
    model: ModelInfo
    counted_for: ModelInfo
    data: TrainingData
    content: dict[str, FileContent]
    reckoning: Reckoning
    tuned_deployment: str
    base_deployment: str
    service: DataPlane | Unread
    resource: Resource | Unread | None
    machine: Machine | Unread | None = None

    @property
    def sent(self) -> tuple[DataFile, ...]:
        """The files that are uploaded."""
        return self.data.train, self.data.validation

    @property
    def is_local(self) -> bool:
        """Whether training is on a machine of one's own: there are no prices, and no days on which models end."""
        return self.settings.service.kind == "huggingface"

    @property
    def is_azure(self) -> bool:
        """Whether the service is Azure's, whose quotas the catalogue knows."""
        return self.settings.service.kind == "azure"

    def cite(self, source: str) -> str:
        """Spell out a source of the catalogue."""
        return self.catalogue.sources[source]
