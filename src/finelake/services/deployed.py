"""What a deployment is and shall be, and what can go wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
    """A deployment as ARM reports it; `state` is its provisioning state, `created_at` None where ARM does not say."""

    name: str
    model: str
    version: str
    state: str
    sku: str = ""
    capacity: int = 0
    created_at: datetime | None = None

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
