"""What a deployment is and shall be, and what can go wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from finelake.errors import ServiceError
from finelake.services.contact import PassingError


class BusyError(PassingError):
    """Raised when the account is being changed by another operation: one write at a time, try again soon."""


class UnreachedError(PassingError):
    """Raised when the resource manager cannot be reached at all."""


class QuotaError(ServiceError):
    """Raised when the quota does not allow a deployment."""


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """A model as ARM names it: format ("OpenAI"), name, version."""

    format: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment as ARM reports it; `state` is its provisioning state, `created_at` None where ARM does not say.

    Where another platform deploys, its states are told in ARM's words: Succeeded, Creating, Updating, Failed, Canceled.
    `reason` says why it is broken and what to do, `life` how long it stays; empty means as on Azure.
    """

    name: str
    model: str
    version: str
    state: str
    sku: str = ""
    capacity: int = 0
    created_at: datetime | None = None
    reason: str = ""
    life: str = ""

    @property
    def is_tuned(self) -> bool:
        """Whether it serves a tuned model (`base.ft-...`, `ft:...`)."""
        return ".ft-" in self.model or self.model.startswith("ft:")


@dataclass(frozen=True, slots=True)
class Target:
    """What a deployment shall be; `capacity` in thousands of tokens a minute."""

    name: str
    model: ModelAddress
    sku: str
    capacity: int


class Deploys(Protocol):
    """Where models are deployed: looked up, asked for and ended by name; each may be repeated.

    `find` and `every` tell what is there. `put` and `delete` ask only: what they asked for comes some time after they
    return. All raise PassingError for what may pass, BusyError where another operation runs, ServiceError for the rest.
    """

    def greet(self) -> None: ...

    def find(self, name: str) -> Deployed | None: ...

    def every(self) -> list[Deployed]: ...

    def put(self, target: Target) -> None: ...

    def delete(self, name: str) -> None: ...

    def close(self) -> None: ...
