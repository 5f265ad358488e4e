"""Effect: a job is stopped before its last step, once, as the settings say.

If the process dies before the request: the job goes on, and the next start asks again, since the intent is there. If
after it: the job's state tells. A job that ended meanwhile is left as it is.
"""

from __future__ import annotations

from finelake.config.early_stop import EarlyStop
from finelake.errors import ServiceError
from finelake.services.base import FineTuningService
from finelake.training.curves import Curves
from finelake.training.early_stop import reason_to_stop
from finelake.training.effects.control import ENDED, control_job
from finelake.training.effects.log import EffectLog
from finelake.training.patience import Patience

STOP = "early_stop"
STOPPED = {"paused"}
"""States in which a job that was stopped by finelake waits for nothing more."""


class EarlyStopper:
    """Stops one job; what it did is in the run's log."""

    def __init__(
        self, service: FineTuningService, job_id: str, *, config: EarlyStop | None, log: EffectLog, patience: Patience
    ) -> None:
        self._service = service
        self._job_id = job_id
        self._config = config
        self._log = log
        self._patience = patience

    @property
    def reason(self) -> str | None:
        """Why the job was stopped; None while it was not."""
        asked = self._log.intent(STOP)
        return str(asked["reason"]) if asked is not None and asked["job_id"] == self._job_id else None

    def look(self, curves: Curves) -> str | None:
        """Stop the job when there is a reason; gives the reason at that look, and when an earlier stop is finished."""
        reason = self.reason
        if reason is not None and self._log.result(STOP) is not None:
            return None
        reason = reason or (reason_to_stop(curves, self._config) if self._config is not None else None)
        if reason is not None:
            self._stop(reason)
        return reason

    def _stop(self, reason: str) -> None:
        asked = self._log.intent(STOP)
        then = str(asked["then"]) if asked is not None else (self._config.then if self._config else "pause")
        if asked is None:
            self._log.record_intent(STOP, {"job_id": self._job_id, "then": then, "reason": reason})
        self._log.fence()
        try:
            state = control_job(
                self._service, self._job_id, control="cancel" if then == "cancel" else "pause", patience=self._patience
            )
        except ServiceError:
            state = str(self._patience.ask(lambda: self._service.job(self._job_id), action="asking for the job").status)
            if state not in ENDED:
                raise
        self._log.record_result(STOP, {"job_id": self._job_id, "then": then, "reason": reason, "state": state})
