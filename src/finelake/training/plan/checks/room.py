"""Room at the service for this run's files and job, against what is there already. Azure's limits; others have none
that a source gives."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import Finding, Verdict
from finelake.training.plan.known import DataPlane, Known, Unread
from finelake.training.plan.registry import check

_DELETE_FILES = "Delete files that no job needs (`finelake clean` lists what failed runs left)."


@check("service")
def service_read(known: Known) -> Iterator[Finding]:
    """Say why the service could not be looked at, where that is so."""
    if isinstance(known.service, Unread):
        yield Finding(check="service_read", verdict="unknown", found=known.service.reason)


@check("service")
def own_job(known: Known) -> Iterator[Finding]:
    """Say that this very run has a job already: nothing is paid again."""
    if isinstance(known.service, DataPlane) and known.service.own_job is not None:
        yield Finding(
            check="own_job",
            verdict="ok",
            found=f"this run has its job {known.service.own_job}: `finelake train` goes on with it and creates none",
        )


@check("service")
def file_room(known: Known) -> Iterator[Finding]:
    """Count the files at the service, and their bytes, with those that this run adds."""
    there = known.service
    if not known.is_azure or not isinstance(there, DataPlane):
        return
    limits = known.catalogue.limits
    new = [file for file in known.sent if file.split not in there.uploaded]
    files, size = there.files + len(new), there.bytes + sum(file.bytes for file in new)
    at_least = f"at least {size:,}" if there.unsized else f"{size:,}"
    for name, count, most, told in (
        ("files", files, limits.max_files, f"{there.files:,} files there, {len(new)} to come"),
        ("total_bytes", size, limits.max_total_file_bytes, f"{there.bytes:,} bytes there, {at_least} afterwards"),
    ):
        verdict: Verdict = "ok"
        if count > most and new:
            verdict = "refuse"
        elif count >= most * known.catalogue.planning.crowded_share:
            verdict = "warn"
        yield Finding(
            check=name,
            verdict=verdict,
            found=told,
            limit=f"{most:,} for a resource",
            source=known.cite("azure_quotas"),
            remedy="" if verdict == "ok" else _DELETE_FILES,
        )


@check("service")
def job_room(known: Known) -> Iterator[Finding]:
    """Count the jobs that are kept, wait and run; nothing where this run has its job."""
    there = known.service
    if not known.is_azure or not isinstance(there, DataPlane) or there.own_job is not None:
        return
    limits, source = known.catalogue.limits, known.cite("azure_quotas")
    full = len(there.jobs) >= limits.max_kept_jobs
    yield Finding(
        check="jobs",
        verdict="refuse" if full else "ok",
        found=f"{len(there.jobs):,} jobs there, 1 to come",
        limit=f"{limits.max_kept_jobs:,} for a resource",
        source=source,
        remedy="Delete jobs that are over, in the portal or through the API." if full else "",
    )
    waiting = sum(job.state == "waiting" for job in there.jobs)
    yield Finding(
        check="queued",
        verdict="refuse" if waiting >= limits.max_queued_jobs else "ok",
        found=f"{waiting:,} jobs wait",
        limit=f"{limits.max_queued_jobs:,} may wait",
        source=source,
        remedy="Wait until some have run, or cancel some." if waiting >= limits.max_queued_jobs else "",
    )
    yield _running(known, there)


def _running(known: Known, there: DataPlane) -> Finding:
    developer = known.settings.training.training_type == "developerTier"
    limits = known.catalogue.limits
    most = limits.max_running_developer_jobs if developer else limits.max_running_jobs
    running = sum(
        job.state == "running" and (job.training_type in {"developer", "developertier"}) == developer
        for job in there.jobs
    )
    return Finding(
        check="running",
        verdict="warn" if running >= most else "ok",
        found=f"{running:,} jobs of this kind run",
        limit=f"{most} at once ({'developer tier' if developer else 'standard and global together'})",
        source=known.cite("azure_quotas"),
        remedy="The job will wait until one has ended; waiting costs nothing." if running >= most else "",
    )
