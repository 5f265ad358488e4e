"""Deployments: quota and tier, room, how long they live, and whether a name is taken."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.services.offers import quota_of
from finelake.training.identity import base_address
from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known, Resource, Unread
from finelake.training.plan.registry import check

_ARM = "Azure Resource Manager, usages of the region"


@check("deployment")
def resource_read(known: Known) -> Iterator[Finding]:
    """Say what could not be read of the resource."""
    if isinstance(known.resource, Unread):
        yield Finding(check="resource_read", verdict="unknown", found=known.resource.reason)
    elif isinstance(known.resource, Resource) and isinstance(known.resource.offers, Unread):
        yield Finding(check="resource_read", verdict="unknown", found=known.resource.offers.reason)


@check("deployment")
def deployment_quota(known: Known) -> Iterator[Finding]:
    """Compare capacity with what is left of the quota, for the tuned and the base model."""
    if not isinstance(known.resource, Resource):
        return
    config, quotas = known.settings.deployment, known.resource.quotas
    if isinstance(quotas, Unread):
        yield Finding(
            check="deployment_quota",
            verdict="unknown",
            found=f"the quotas could not be read: {quotas.reason}",
            remedy="Give the identity Cognitive Services Usages Reader on the subscription.",
        )
        return
    model = base_address(known.settings.model_copy(update={"model": known.model.id}), known.model).name
    held = {one.name.lower() for one in known.resource.deployments}
    for name, sku, tuned in (
        (known.tuned_deployment, config.sku, True),
        (known.base_deployment, config.base_sku, False),
    ):
        if name.lower() in held:
            yield Finding(check="deployment_quota", verdict="ok", found=f"{name} is there and keeps its capacity")
            continue
        quota = quota_of(quotas, sku=sku, model=model, tuned=tuned)
        if quota is None:
            yield Finding(
                check="deployment_quota",
                verdict="unknown",
                found=f"{name}: ARM lists no quota for {model} as {sku} in {known.resource.location}",
                source=_ARM,
                remedy="Look at the quota page of the portal, or choose another SKU.",
            )
            continue
        enough = config.capacity <= quota.free
        yield Finding(
            check="deployment_quota",
            verdict="ok" if enough else "refuse",
            found=f"{name}: {config.capacity:,} thousand tokens a minute, {quota.free:,.0f} free of {quota.limit:,.0f}",
            limit=quota.name,
            source=_ARM,
            remedy=(
                "" if enough else "Lower deployment.capacity, remove deployments of this SKU, or ask for more quota."
            ),
        )


@check("deployment")
def tuned_deployments(known: Known) -> Iterator[Finding]:
    """Count the tuned deployments that the resource has."""
    if not isinstance(known.resource, Resource):
        return
    tuned = [one for one in known.resource.deployments if one.is_tuned]
    there = any(one.name.lower() == known.tuned_deployment.lower() for one in tuned)
    most = known.catalogue.limits.max_tuned_deployments
    full = not there and len(tuned) >= most
    yield Finding(
        check="tuned_deployments",
        verdict="refuse" if full else "ok",
        found=f"{len(tuned)} there, {known.tuned_deployment} {'among them' if there else 'to come'}",
        limit=f"{most} for a resource",
        source=known.cite("azure_quotas"),
        remedy="Remove a deployment that is not needed; its model stays." if full else "",
    )


@check("deployment")
def deployment_life(known: Known) -> Iterator[Finding]:
    """Say how long the tuned deployment will live."""
    if not known.is_azure:
        return
    limits, sku = known.catalogue.limits, known.settings.deployment.sku
    developer = sku == "DeveloperTier"
    yield Finding(
        check="deployment_life",
        verdict="ok",
        found=(
            f"{sku}: {limits.developer_deployment_hours} hours, used or not; then `finelake train` makes it again"
            if developer
            else f"{sku}: until {limits.unused_deployment_days} days have passed without a request"
        ),
        limit="no guarantee of service, no data residency" if developer else "",
        source=known.cite("azure_developer_tier" if developer else "azure_inactivity"),
    )
