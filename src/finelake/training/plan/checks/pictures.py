"""Pictures: only models with vision take them, in bounded number and size."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def pictures(known: Known) -> Iterator[Finding]:
    """Count pictures and compare with what the model and the service take; nothing where there are none."""
    limits = known.catalogue.limits
    for file in known.sent:
        found = known.content[file.split].pictures
        if not found.count:
            continue
        blind = "vision" not in known.model.modalities
        large = found.largest > limits.max_image_bytes
        many = found.lines > limits.max_examples_with_images or found.most > limits.max_images_per_example
        schemes = ", ".join(f"{scheme} {count:,}" for scheme, count in sorted(found.schemes.items()))
        yield Finding(
            check="pictures",
            verdict="refuse" if blind or many or large else "warn",
            found=(
                f"{file.path.name}: {found.count:,} pictures ({schemes}) in {found.lines:,} examples, at most "
                f"{found.most} in one, the largest embedded one of {found.largest:,} bytes; {known.model.id} "
                f"{'does not see' if blind else 'sees'}"
            ),
            limit=(
                f"{limits.max_examples_with_images:,} examples with pictures, {limits.max_images_per_example} in one, "
                f"{limits.max_image_bytes:,} bytes each"
            ),
            source=known.cite("azure_vision"),
            remedy=(
                "Choose a model with vision (gpt-4o, gpt-4.1) or leave the pictures out."
                if blind
                else "Leave pictures out, or make them smaller."
                if many or large
                else "Faces, people and CAPTCHAs are skipped by the service without a word; tokens of pictures are not "
                "in the figures here."
            ),
        )
