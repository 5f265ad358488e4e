"""What an ended job left at the service: its result file, checkpoints, error, duration, and what all of it means."""

from __future__ import annotations

from typing import Any

from openai.types.fine_tuning import FineTuningJob

from finelake.services.base import FineTuningService
from finelake.training.curves import Curves
from finelake.training.diagnosis.diagnose import diagnose
from finelake.training.diagnosis.finding import Finding
from finelake.training.events import Measurement
from finelake.training.patience import Patience
from finelake.training.results import parse_results
from finelake.training.telemetry import Checkpoint, checkpoint_of
from finelake.training.watch import WatchedJob

_READS = 5


def meaning(watched: WatchedJob, results: list[Measurement]) -> tuple[Finding, ...]:
    """Judge the losses of every step where there is a result file; events tell every tenth."""
    if not results:
        return watched.findings
    said = (error_of(watched.job) or {}).get("message")
    return diagnose(Curves.of(results), [*(event.message for event in watched.events), *([said] if said else [])])


def checkpoints_of(
    service: FineTuningService, job_id: str, *, wait_seconds: float, patience: Patience
) -> list[Checkpoint]:
    """List a job's checkpoints by step, and wait for the first; a paused job's come after its safety evaluation."""
    deadline = patience.clock.now() + wait_seconds
    while True:
        found = patience.ask(lambda: list(service.checkpoints(job_id)), action=f"reading the checkpoints of {job_id}")
        if found or patience.clock.now() >= deadline:
            return sorted((checkpoint_of(item) for item in found), key=lambda item: item.measured.step)
        patience.clock.sleep(patience.pause)


def results_of(service: FineTuningService, job: FineTuningJob, *, patience: Patience) -> list[Measurement]:
    """Read the result file of a job that succeeded; an empty list where there is none."""
    # Services leave keys out as well as setting them to null, and the SDK then has no attribute.
    files = getattr(job, "result_files", None)
    if job.status != "succeeded" or not files:
        return []
    file_id = files[0]

    def read() -> bytes:
        return service.client.files.content(file_id).read()

    for _ in range(_READS):
        content = patience.ask(read, action=f"reading result file {file_id}", fresh=True)
        if not content.lstrip().startswith((b"<", b"{")):
            break
        # A web page or an error in place of the file.
        patience.clock.sleep(patience.pause)
    return parse_results(content)


def seconds_of(job: FineTuningJob, *, watched: float) -> float:
    """Give how long a job took; the seconds that it was `watched` where the service does not say."""
    # Both moments are the service's, so that no clock of ours is compared with them.
    created, finished = getattr(job, "created_at", None), getattr(job, "finished_at", None)
    return float(finished - created) if created and finished and finished >= created else watched


def error_of(job: FineTuningJob) -> dict[str, Any] | None:
    """Give a job's error as the service says it; None where it has none."""
    error = getattr(job, "error", None)
    found = {key: getattr(error, key, None) for key in ("code", "message", "param")}
    return found if found["message"] else None
