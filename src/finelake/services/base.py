"""What the driver asks of a fine-tuning service; a subclass holds only what differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from openai import OpenAI
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from finelake.config.settings import Training
from finelake.services.contact import Contact
from finelake.services.deployments import Deployments
from finelake.services.paging import walk

Token = Callable[[], str]
"""A function that gives a bearer token which is valid now."""

_PAGE = 100


class FineTuningService(ABC):
    """A service that stores files, trains and answers. Use as a context manager: it holds connections."""

    def __init__(self, *, contact: Contact, client: OpenAI, deployments: Deployments | None) -> None:
        self.contact = contact
        self.deployments = deployments
        self._client = client

    @property
    def client(self) -> OpenAI:
        """The SDK's client. Ask for it at each use: an Entra token inside it grows old."""
        return self._client

    @abstractmethod
    def job_body(self, training: Training) -> dict[str, Any]:
        """Give the part of a job's request that differs between services (for `extra_body`)."""

    def greet(self) -> None:
        """Ask for one page of files, so that a wrong address or key is known before anything is done.

        Raises ServiceError.
        """
        with self.contact.doing("listing uploaded files"):
            page = self.client.files.list(purpose="fine-tune")
        if not isinstance(getattr(page, "data", None), list):
            raise self.contact.not_the_api()

    def files(self) -> Iterator[FileObject]:
        """Give the files uploaded for fine-tuning, newest first where the service sorts."""
        # SDKs before 1.51 have no argument `after` here.
        return walk(lambda after: self.client.files.list(purpose="fine-tune", extra_query=_after(after)))

    def jobs(self) -> Iterator[FineTuningJob]:
        """Give the fine-tuning jobs, newest first."""
        return walk(lambda after: self.client.fine_tuning.jobs.list(limit=_PAGE, **_after(after)))

    def events(self, job_id: str) -> Iterator[FineTuningJobEvent]:
        """Give a job's events, newest first."""
        return walk(lambda after: self.client.fine_tuning.jobs.list_events(job_id, limit=_PAGE, **_after(after)))

    def checkpoints(self, job_id: str) -> Iterator[FineTuningJobCheckpoint]:
        """Give a job's checkpoints, newest first."""
        return walk(lambda after: self.client.fine_tuning.jobs.checkpoints.list(job_id, **_after(after)))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        if self.deployments is not None:
            self.deployments.close()

    def __enter__(self) -> FineTuningService:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def chosen_hyperparameters(training: Training) -> dict[str, Any]:
    """Give the hyperparameters that were chosen; `auto` is left to the service by leaving the key out."""
    values = {
        "n_epochs": training.epochs,
        "batch_size": training.batch_size,
        "learning_rate_multiplier": training.learning_rate_multiplier,
    }
    return {name: value for name, value in values.items() if value != "auto"}


def supervised(training: Training) -> dict[str, Any]:
    """Give the `method` of a supervised job."""
    return {"type": "supervised", "supervised": {"hyperparameters": chosen_hyperparameters(training)}}


def _after(after: str | None) -> dict[str, Any]:
    return {} if after is None else {"after": after}
