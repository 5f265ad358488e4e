"""Effect: the fine-tuning job, once for each run id, which its suffix ends with.

If the process dies before the request: no job. After it: the next start finds the job by its suffix, in the tuned
model's name, or by files and seed, and pays nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import openai
from openai.types.fine_tuning import FineTuningJob

from finelake.services.base import FineTuningService
from finelake.training.effects.log import EffectLog
from finelake.training.effects.perform import Effect, perform
from finelake.training.patience import Patience

RUN = "finelake_run"
_REQUEST_SECONDS = 120.0


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

    @property
    def asked(self) -> dict[str, Any]:
        """What is written down before it is asked for."""
        files = {"train": self.training_file, "validation": self.validation_file}
        return {"suffix": self.suffix, "model": self.model, "files": files}


def ensure_job(
    service: FineTuningService, request: JobRequest, *, key: str, log: EffectLog, patience: Patience
) -> FineTuningJob:
    """Give the job of this request, creating it when the service has none. Raises ServiceError when it refuses."""

    def find() -> FineTuningJob | None:
        return patience.ask(lambda: find_job(service, request), action="listing fine-tuning jobs")

    def create() -> FineTuningJob:
        # The SDK sends no idempotency key: its retry of a request whose answer was lost would pay twice.
        once = service.client.with_options(max_retries=0, timeout=min(_REQUEST_SECONDS, log.lease_seconds / 3))
        return service.contact.readable(
            lambda: once.fine_tuning.jobs.create(
                model=request.model,
                training_file=request.training_file,
                validation_file=request.validation_file,
                suffix=request.suffix,
                seed=request.seed,
                extra_body=request.body,
                metadata={RUN: request.run} if service.contact.kind == "openai" else openai.omit,
            ),
            needs="id",
        )

    effect = Effect(key, request.asked, find=find, act=create, action="creating the fine-tuning job")
    return perform(effect, log=log, patience=patience)


def find_job(service: FineTuningService, request: JobRequest) -> FineTuningJob | None:
    """Look for the job of a request at the service."""
    return next((job for job in service.jobs() if is_ours(job, request)), None)


def is_ours(job: FineTuningJob, request: JobRequest) -> bool:
    """Tell whether a job was created by this request.

    The run id in the metadata decides (OpenAI keeps it), or at the end of the suffix where the service repeats that
    (`suffix` on Azure, `user_provided_suffix` at OpenAI); else it is looked for in the tuned model's name, and a job
    that shows neither must have the same files and seed.
    """
    metadata = getattr(job, "metadata", None)
    if isinstance(metadata, dict) and RUN in metadata:
        return bool(metadata[RUN] == request.run)
    for field in ("suffix", "user_provided_suffix"):
        suffix = getattr(job, field, None)
        if suffix:
            return str(suffix).endswith(request.run)
    tuned = getattr(job, "fine_tuned_model", None)
    if tuned:
        return request.run in tuned
    shown = [getattr(job, field, None) for field in ("training_file", "validation_file", "seed")]
    return shown == [request.training_file, request.validation_file, request.seed]
