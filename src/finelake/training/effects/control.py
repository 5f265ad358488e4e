"""Effects on a job that runs: cancel, pause, resume. Each may be repeated; what it asks for is said by the job's state.

They need no lease: they are for the very time in which a driver watches the job, and that driver sees what comes of
them. If the process dies after the request, the job's state tells; asking again changes nothing.
"""

from __future__ import annotations

from typing import Literal

import openai

from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.services.contact import PassingError
from finelake.training.patience import Patience, Tries

Control = Literal["cancel", "pause", "resume"]

_REACHED = {
    "cancel": {"cancelled", "cancelling"},
    "pause": {"paused", "pausing"},
    "resume": {"resuming", "running", "queued", "pending"},
}
ENDED = {"succeeded", "failed", "cancelled"}
_MOST_TRIES = 10


def control_job(service: FineTuningService, job_id: str, *, control: Control, patience: Patience) -> str:
    """Cancel, pause or resume a job and give its state then; a job that is there already is left alone.

    Raises ServiceError when the job has ended otherwise, or the service refuses (Azure pauses a job only while it
    runs and has done a step).
    """
    tries = Tries(patience)
    while True:
        state = _state(service, job_id, patience)
        if state in _REACHED[control]:
            return state
        if state in ENDED:
            raise ServiceError(f"Job {job_id} has {state} already, so there is nothing to {control}.")
        try:
            _send(service, job_id, control)
            return _state(service, job_id, patience)
        except (openai.APIError, PassingError) as error:
            wait = tries.wait(error)
            if wait is None or tries.failed > _MOST_TRIES:
                raise patience.explained(error, f"asking job {job_id} ({state}) to {control}") from None
        patience.clock.sleep(wait)


def _state(service: FineTuningService, job_id: str, patience: Patience) -> str:
    return str(patience.ask(lambda: service.job(job_id), action=f"asking for job {job_id}", fresh=True).status)


def _send(service: FineTuningService, job_id: str, control: Control) -> None:
    jobs = service.client.fine_tuning.jobs
    send = {"cancel": jobs.cancel, "pause": jobs.pause, "resume": jobs.resume}[control]
    service.contact.readable(lambda: send(job_id), needs="id")
