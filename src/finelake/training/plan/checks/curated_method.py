"""The files must have been written for the method that is trained: each method has lines of its own."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import OWN_RULE, Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def curated_method(known: Known) -> Iterator[Finding]:
    """Compare the manifest's method with training.method."""
    written, wanted = known.data.method, known.settings.training.method
    yield Finding(
        check="curated_method",
        verdict="ok" if written == wanted else "refuse",
        found=f"files for {written}, training.method is {wanted}",
        limit="the same method",
        source=OWN_RULE,
        remedy="" if written == wanted else "Set training.method to that of the files, or publish files for this one.",
    )
