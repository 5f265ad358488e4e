"""A file must be below the service's largest; single uploads above some 150 MB are reported to fail later."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check


@check("data")
def file_size(known: Known) -> Iterator[Finding]:
    """Compare each file's bytes with the limits; a service on this machine reads them where they lie."""
    if known.is_local:
        return
    limits = known.catalogue.limits
    parts_above = known.settings.training.parts_above_megabytes * 2**20
    for file in known.sent:
        large = file.bytes >= limits.max_file_bytes
        risky = limits.max_reliable_post_bytes < file.bytes <= parts_above
        yield Finding(
            check="file_size",
            verdict="refuse" if large else "warn" if risky else "ok",
            found=f"{file.path.name}: {file.bytes:,} bytes{', in parts' if file.bytes > parts_above else ''}",
            limit=f"the service takes files below {limits.max_file_bytes:,}",
            source=known.cite("azure_skill" if risky and not large else "azure_quotas"),
            remedy=(
                "Curate fewer or shorter conversations."
                if large
                else "Lower training.parts_above_megabytes, so that the file travels in parts."
                if risky
                else ""
            ),
        )
