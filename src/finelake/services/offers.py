"""What a resource is offered where it is: quotas of the subscription, models and their last days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota as ARM counts it, in thousands of tokens a minute for deployments: `OpenAI.SKU.model[-finetune]`."""

    name: str
    used: float
    limit: float

    @property
    def free(self) -> float:
        """What is left of it."""
        return self.limit - self.used


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that the account may use; the days are None where ARM names none."""

    name: str
    version: str
    status: str
    training_until: date | None
    inference_until: date | None
    skus: tuple[str, ...]


def quota_of(quotas: tuple[Quota, ...], *, sku: str, model: str, tuned: bool) -> Quota | None:
    """Find the quota that a deployment takes from.

    ARM writes names in more than one way (`gpt4.1-mini-finetune`, `gpt-4.1-mini`), so only letters and digits count.
    A tuned model takes from `-finetune` where there is such a quota, else from the base model's.
    """
    by_name = {_plain(quota.name): quota for quota in quotas}
    wanted = _plain(f"OpenAI.{sku}.{model}")
    found = by_name.get(f"{wanted}finetune") if tuned else None
    return found or by_name.get(wanted)


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name.lower())
