"""Why a job did not succeed, and what to do about it."""

from __future__ import annotations

from typing import Any

from finelake.errors import ServiceError
from finelake.training.diagnosis.safety import safety

_REMEDIES = (
    (
        "invalid token",
        "A special token stands in an example's text. Set conversations.special_tokens to quarantine and curate again.",
    ),
)
_AGAIN = "To pay for another job with the very same data and settings, count training.attempt up."


def explain_end(job_id: str, status: str, error: dict[str, Any] | None) -> ServiceError:
    """Give the error of a job that ended as failed or cancelled; `error` has the service's code and message."""
    if status == "cancelled":
        return ServiceError(f"Fine-tuning job {job_id} was cancelled, so there is no tuned model. {_AGAIN}")
    code = (error or {}).get("code") or "no code"
    message = str((error or {}).get("message") or "the service gave no reason").strip()
    field = (error or {}).get("param")
    place = f", {field}" if field else ""
    return ServiceError(f"Fine-tuning job {job_id} failed ({code}{place}): {message} {_remedy(message)}")


def _remedy(message: str) -> str:
    found = safety([message])
    if found.needs_attention:
        return found.sentence
    lowered = message.lower()
    for sign, remedy in _REMEDIES:
        if sign in lowered:
            return remedy
    return f"Correct the data or the setting that the message names and run the same again. {_AGAIN}"
