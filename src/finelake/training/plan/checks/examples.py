"""A job needs ten examples in each file; fewer than fifty rarely teach anything."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def examples(known: Known) -> Iterator[Finding]:
    """Count the lines that are examples."""
    limits = known.catalogue.limits
    for file in known.sent:
        count = known.content[file.split].examples
        few = count < limits.min_training_examples
        modest = file.split == "train" and count < limits.recommended_training_examples
        yield Finding(
            check="examples",
            verdict="refuse" if few else "warn" if modest else "ok",
            found=f"{file.path.name}: {count:,} examples",
            limit=f"at least {limits.min_training_examples} a file, {limits.recommended_training_examples} advised",
            source=known.cite("azure_rest_guide"),
            remedy=(
                "Add conversations, raise the split's share under splits, or look at what the quarantine table set "
                "aside; then run `finelake curate` again."
                if few or modest
                else ""
            ),
        )
