"""Creating the fine-tuning job, once: what was created earlier is found by its suffix, which ends with the run id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openai.types.fine_tuning import FineTuningJob

from finelake.services.base import FineTuningService
from finelake.training.patience import Patience

_LOOKS_AFTER_A_KILL = 3


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What is asked for. `suffix` ends with `run`, the run id; `body` is the part that differs between services."""

    model: str
    training_file: str
    validation_file: str
    run: str
    suffix: str
    seed: int
    body: dict[str, Any]


def ensure_job(
    service: FineTuningService, request: JobRequest, *, patience: Patience, tried_before: bool
) -> FineTuningJob:
    """Give the job of this request, creating it when the service has none.

    When an earlier start may have sent the request (`tried_before`), the service is looked through several times
    first. Raises ServiceError when the service refuses.
    """

    def find() -> FineTuningJob | None:
        return patience.ask(lambda: _find(service, request), action="listing fine-tuning jobs")

    def create() -> FineTuningJob:
        # The SDK sends no idempotency key: its retry of a request whose answer was lost would pay twice.
        once = service.client.with_options(max_retries=0)
        return once.fine_tuning.jobs.create(
            model=request.model,
            training_file=request.training_file,
            validation_file=request.validation_file,
            suffix=request.suffix,
            seed=request.seed,
            extra_body=request.body,
        )

    looks = _LOOKS_AFTER_A_KILL if tried_before else 1
    return patience.create_once(find=find, create=create, action="creating the fine-tuning job", looks=looks)


def is_ours(job: FineTuningJob, request: JobRequest) -> bool:
    """Tell whether a job was created by this request.

    The run id at the end of the suffix decides where the service repeats the suffix (`suffix` on Azure,
    `user_provided_suffix` at OpenAI); else it is looked for in the tuned model's name, and a job that shows neither
    must have the same files and seed.
    """
    for field in ("suffix", "user_provided_suffix"):
        suffix = getattr(job, field, None)
        if suffix:
            return str(suffix).endswith(request.run)
    if job.fine_tuned_model:
        return request.run in job.fine_tuned_model
    same_files = job.training_file == request.training_file and job.validation_file == request.validation_file
    return same_files and getattr(job, "seed", None) == request.seed


def _find(service: FineTuningService, request: JobRequest) -> FineTuningJob | None:
    return next((job for job in service.jobs() if is_ours(job, request)), None)
