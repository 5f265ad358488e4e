"""The files must have been curated for the model that is trained: lengths and token counts depend on it."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import OWN_RULE, Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def curated_model(known: Known) -> Iterator[Finding]:
    """Compare the manifest's model with the one of the settings."""
    fits = known.counted_for.id == known.model.id
    yield Finding(
        check="curated_model",
        verdict="ok" if fits else "refuse",
        found=f"curated for {known.data.model}, model is {known.settings.model}",
        limit="the same model",
        source=OWN_RULE,
        remedy="" if fits else "Run `finelake curate` for this model, or set model back.",
    )
