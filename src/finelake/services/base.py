"""What the driver asks of a fine-tuning service; a subclass holds only what differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
from openai import OpenAI
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from finelake.config.settings import Training
from finelake.errors import ConfigError, ServiceError
from finelake.services.contact import Contact, PassingError
from finelake.services.deployed import Deploys
from finelake.services.paging import Item, Page, walk

Token = Callable[[], str]
"""A function that gives a bearer token which is valid now."""

_PAGE = 100
_UNREACHED = {"ConnectError", "ConnectTimeout"}


class FineTuningService(ABC):
    """A service that stores files, trains and answers. Use as a context manager: it holds connections."""

    def __init__(
        self, *, contact: Contact, client: OpenAI, deployments: Deploys | None, renew: Callable[[], str | None]
    ) -> None:
        self.contact = contact
        self.deployments = deployments
        self._client = client
        self._renew = renew

    @property
    def client(self) -> OpenAI:
        """The SDK's client. Ask for it at each use: an Entra token inside it grows old."""
        return self._client

    @property
    def chat_client(self) -> OpenAI:
        """The client that deployed models are asked with."""
        return self.client

    @property
    def chat_contact(self) -> Contact:
        """Whom `chat_client` talks to."""
        return self.contact

    @property
    def may_sleep(self) -> bool:
        """Whether a deployment that nobody asked for a while must be woken first."""
        return False

    @property
    def parts_client(self) -> OpenAI:
        """The client that uploads files in parts."""
        return self.client

    def address_of(self, path: Path) -> str | None:
        """Give the address at which the service reads a file of this machine itself; None where it must be sent."""
        del path
        return None

    def renew(self) -> bool:
        """Read the key or get the token anew after a 401; True, as asking again then makes sense."""
        key = self._renew()
        if key is not None:
            self._client.api_key = key
        return True

    @abstractmethod
    def job_body(self, training: Training) -> dict[str, Any]:
        """Give the part of a job's request that differs between services (for `extra_body`)."""

    def greet(self) -> None:
        """Ask for one page of files, so that a wrong address or key is known before anything is done.

        Raises PassingError for what may pass (429, 5xx, a cut connection), ServiceError for the rest.
        """
        try:
            page = self.client.files.list(purpose="fine-tune")
        except openai.APIStatusError as error:
            raise self._greeting(
                error, passing=error.status_code in {408, 409, 429} or error.status_code >= 500
            ) from None
        except openai.APIConnectionError as error:
            raise self._greeting(error, passing=type(error.__cause__).__name__ not in _UNREACHED) from None
        except (openai.OpenAIError, AttributeError, TypeError, ValueError):
            raise self.contact.not_the_api() from None
        if not isinstance(getattr(page, "data", None), list):
            raise self.contact.not_the_api()

    def _greeting(self, error: openai.OpenAIError, *, passing: bool) -> ServiceError:
        explained = self.contact.explain(error, "listing uploaded files")
        return PassingError(str(explained)) if passing else explained

    def files(self) -> Iterator[FileObject]:
        """Give the files uploaded for fine-tuning, newest first where the service sorts."""
        # SDKs before 1.51 have no argument `after` here.
        return self._walk(lambda after: self.client.files.list(purpose="fine-tune", extra_query=_after(after)))

    def jobs(self) -> Iterator[FineTuningJob]:
        """Give the fine-tuning jobs, newest first."""
        return self._walk(lambda after: self.client.fine_tuning.jobs.list(limit=_PAGE, **_after(after)))

    def events(self, job_id: str) -> Iterator[FineTuningJobEvent]:
        """Give a job's events, newest first."""
        return self._walk(lambda after: self.client.fine_tuning.jobs.list_events(job_id, limit=_PAGE, **_after(after)))

    def checkpoints(self, job_id: str) -> Iterator[FineTuningJobCheckpoint]:
        """Give a job's checkpoints, newest first."""
        return self._walk(lambda after: self.client.fine_tuning.jobs.checkpoints.list(job_id, **_after(after)))

    def file(self, file_id: str) -> FileObject:
        """Look at one file."""
        return self.contact.readable(lambda: self.client.files.retrieve(file_id), needs="id")

    def job(self, job_id: str) -> FineTuningJob:
        """Look at one job. Fields that the service leaves out are not there: read them with `getattr`."""
        return self.contact.readable(lambda: self.client.fine_tuning.jobs.retrieve(job_id), needs="status")

    def _walk(self, fetch: Callable[[str | None], Page[Item]]) -> Iterator[Item]:
        return walk(lambda after: self.contact.readable(lambda: fetch(after), needs="data"))

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


def method_of(training: Training) -> dict[str, Any]:
    """Give the `method` of a job. Raises ConfigError for reinforcement, whose data alone are validated."""
    if training.method == "reinforcement":
        raise ConfigError(
            "training.method: reinforcement jobs are not created; `finelake plan` checks their files. Choose "
            "supervised or dpo."
        )
    hyperparameters = chosen_hyperparameters(training)
    if training.method == "dpo" and training.beta != "auto":
        hyperparameters["beta"] = training.beta
    return {"type": training.method, training.method: {"hyperparameters": hyperparameters}}


def _after(after: str | None) -> dict[str, Any]:
    return {} if after is None else {"after": after}
