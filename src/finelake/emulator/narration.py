"""The event texts of a job's life, in the words of each service (Azure: captured from a real job, January 2026)."""

from __future__ import annotations

from finelake.emulator.jobs import JobRecord
from finelake.emulator.metrics import StepMetrics
from finelake.emulator.wire import Json

Told = list[tuple[str, str]]


def start_events(job: JobRecord) -> Told:
    """Return keys and texts of what happens before the first step, oldest first."""
    if job.plane == "openai":
        told = [("validating", f"Validating training file: {job.spec.training_file}")]
        if job.spec.validation_file:
            told.append(("validating-2", f"Validating validation file: {job.spec.validation_file}"))
        return [
            *told,
            ("validated", "Files validated, moving job to queued state"),
            ("started", "Fine-tuning job started"),
        ]
    told = [
        ("preprocessing", "Preprocessing running for file training file."),
        ("preprocessed", "Preprocessing completed for file training file."),
    ]
    if job.spec.validation_file:
        told.append(("preprocessed-2", "Preprocessing completed for file validation file."))
    return [
        *told,
        ("started", "Job started."),
        ("import", "Data Import started."),
        ("finetuning", "Finetuning started."),
        ("gpus", "Job queued, waiting for GPUs."),
        ("training", "Training started."),
        ("results", f"Created results file: {job.result_file}"),
    ]


def step_event(job: JobRecord, metrics: StepMetrics) -> tuple[str, Json]:
    """Return text and data of a metrics event."""
    loss = float("nan") if metrics.train_loss is None else metrics.train_loss
    if job.plane == "azure":
        return f"Step {metrics.step}: training loss={loss}", metrics.view()
    text = f"Step {metrics.step}/{job.total_steps}: training loss={loss:.2f}"
    if metrics.valid_loss is not None:
        text += f", validation loss={metrics.valid_loss:.2f}"
    return text, {**metrics.view(), "total_steps": job.total_steps}


def end_events(job: JobRecord) -> Told:
    """Return keys and texts of what happens after the last step, oldest first."""
    if job.plane == "openai":
        return [
            ("created-model", f"New fine-tuned model created: {job.tuned_name}"),
            ("succeeded", "The job has successfully completed"),
        ]
    return [
        ("succeeded", "Job succeeded."),
        ("evaluated", "Model Evaluation Passed."),
        ("completed-results", f"Completed results file: {job.result_file}"),
        ("billed", f"Training tokens billed: {job.billed_tokens}"),
    ]
