"""The last days on which a model can be trained, and on which a tuned model of it answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from finelake.services.offers import Offer
from finelake.training.identity import base_address
from finelake.training.plan.finding import Finding, Verdict
from finelake.training.plan.known import Known, Resource
from finelake.training.plan.registry import check

_RETIRED = {"deprecated"}


@check("model")
def training_retirement(known: Known) -> Iterator[Finding]:
    """Training must still be possible."""
    if known.is_local:
        return
    offer, listed = _offer(known), known.model.retirement
    day = offer.training_until if offer else None
    yield _finding(known, "training_retirement", "training ends", day, listed.training if listed else None)


@check("deployment")
def deployment_retirement(known: Known) -> Iterator[Finding]:
    """A tuned model must answer for a while yet."""
    if known.is_local:
        return
    offer, listed = _offer(known), known.model.retirement
    day = offer.inference_until if offer else None
    yield _finding(known, "deployment_retirement", "tuned deployments end", day, listed.deployment if listed else None)


@check("model")
def lifecycle(known: Known) -> Iterator[Finding]:
    """Say what ARM says of the model; only where it lists it."""
    offer = _offer(known)
    if offer is not None and offer.status:
        gone = offer.status.lower() in _RETIRED
        yield Finding(
            check="lifecycle",
            verdict="refuse" if gone else "ok",
            found=f"{offer.name} {offer.version}: {offer.status}",
            source="Azure Resource Manager, models of the account",
            remedy="Choose a model that is not retired." if gone else "",
        )


def _offer(known: Known) -> Offer | None:
    if not isinstance(known.resource, Resource) or not isinstance(known.resource.offers, tuple):
        return None
    wanted = base_address(known.settings.model_copy(update={"model": known.model.id}), known.model)
    return next(
        (one for one in known.resource.offers if (one.name, one.version) == (wanted.name, wanted.version)), None
    )


def _finding(known: Known, name: str, what: str, told: date | None, listed: date | None) -> Finding:
    """The resource manager's day counts before the catalogue's, which is one before which it does not end."""
    day = told or listed
    if day is None:
        return Finding(check=name, verdict="unknown", found=f"no source says when {what} for {known.model.id}")
    source = "Azure Resource Manager, models of the account" if told else known.cite("azure_retirements")
    verdict: Verdict = "ok"
    if day <= known.today:
        verdict = "refuse"
    elif day <= known.today + timedelta(days=known.settings.plan.retirement_days):
        verdict = "warn"
    return Finding(
        check=name,
        verdict=verdict,
        found=f"{what} {'on' if told else 'not before'} {day.isoformat()}, in {(day - known.today).days:,} days",
        limit=f"warning {known.settings.plan.retirement_days} days before",
        source=source,
        remedy="" if verdict == "ok" else "Choose a newer model.",
    )
