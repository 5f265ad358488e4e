"""Which roles the signed-in identity needs. What it has cannot be read with the rights that the work itself needs."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding
from finelake.training.plan.known import DataPlane, Known
from finelake.training.plan.registry import check


@check("service")
def roles(known: Known) -> Iterator[Finding]:
    """List the roles, and say what an answered question proves."""
    if not known.is_azure:
        return
    key = known.settings.service.api_key is not None
    answered = isinstance(known.service, DataPlane)
    for role in known.catalogue.planning.roles:
        by_key = key and role.by_key
        yield Finding(
            check="roles",
            verdict="ok" if by_key and answered else "unknown",
            found=f"to {role.may}: {' or '.join(role.roles)}" + (" (not needed: the key does)" if by_key else ""),
            source=known.cite(role.source),
        )
