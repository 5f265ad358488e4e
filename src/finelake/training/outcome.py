"""What a training run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOutcome:
    """A finished run.

    `deployment` and `base_deployment` are what a chat request names as `model`: deployments on Azure, model ids at
    OpenAI; `deployment` serves `deployed_model`, the tuned model or one of its checkpoints. `checkpoints` are
    deployable names, oldest first; `trained_tokens` is None where the service does not say; `seconds` is how long the
    job took at the service. `finished_before` tells that this start found all done. `stopped_early` says why the job
    was stopped before its last step, `findings` what its losses mean where somebody should read it, `portal` where
    job and deployment are to be seen.
    """

    run_id: str
    job_id: str
    model: str
    fine_tuned_model: str
    deployment: str
    deployed_model: str
    base_deployment: str
    training_file_id: str
    validation_file_id: str
    checkpoints: tuple[str, ...]
    trained_tokens: int | None
    seconds: float
    finished_before: bool
    stopped_early: str | None = None
    findings: tuple[str, ...] = ()
    portal: tuple[str, ...] = ()
