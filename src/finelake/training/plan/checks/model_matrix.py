"""Which methods and training types a model has, and where."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known, Resource
from finelake.training.plan.registry import check


@check("model")
def method(known: Known) -> Iterator[Finding]:
    """Compare training.method with the model's methods."""
    wanted, model = known.settings.training.method, known.model
    offered = wanted in model.methods
    yield Finding(
        check="method",
        verdict="ok" if offered else "refuse",
        found=f"{wanted} training of {model.id}" + (f" ({model.note})" if model.note else ""),
        limit=f"methods: {', '.join(model.methods) or 'none'}",
        source=known.cite(model.source),
        remedy="" if offered else "Choose a model that offers this method, or another training.method.",
    )


@check("model")
def training_type(known: Known) -> Iterator[Finding]:
    """Compare training.training_type with the model's; only Azure has them."""
    if not known.is_azure:
        return
    wanted, model = known.settings.training.training_type, known.model
    offered = wanted in model.training_types
    yield Finding(
        check="training_type",
        verdict="ok" if offered else "refuse",
        found=wanted,
        limit=f"{model.id} is trained as: {', '.join(model.training_types) or 'nothing'}",
        source=known.cite(model.source),
        remedy="" if offered else "Choose one of these as training.training_type.",
    )


@check("model")
def training_region(known: Known) -> Iterator[Finding]:
    """Standard training runs in the resource's own region, which must be one of the model's."""
    if not known.is_azure or known.settings.training.training_type != "standard":
        return
    regions = known.model.standard_regions
    if not isinstance(known.resource, Resource):
        yield Finding(check="training_region", verdict="unknown", found="the resource's region is not known here")
        return
    here = known.resource.location in regions
    yield Finding(
        check="training_region",
        verdict="ok" if here else "refuse",
        found=f"the resource is in {known.resource.location}",
        limit=f"standard training of {known.model.id} in: {', '.join(regions) or 'no region'}",
        source=known.cite(known.model.source),
        remedy="" if here else "Use training_type globalStandard, or a resource in one of these regions.",
    )
