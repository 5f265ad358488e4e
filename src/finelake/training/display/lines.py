"""A training run as log lines, for jobs and pipes."""

from __future__ import annotations

import logging

from finelake.training.diagnosis.finding import Finding
from finelake.training.display.wording import elapsed_text, left_text, loss_text, step_text, tokens_text
from finelake.training.progress import JobReport, Progress

logger = logging.getLogger(__name__)

_LOG_EVERY_SECONDS = 30.0


class LogProgress(Progress):
    """Log lines: every step and event, and the job when its state changes or half a minute has passed.

    What the losses mean is logged as a warning, when a rule finds something for the first time or it gets worse.
    """

    def __init__(self) -> None:
        self._state = ""
        self._logged_at = 0.0
        self._deployments: dict[str, str] = {}
        self._levels: dict[str, str] = {}

    def __enter__(self) -> LogProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def started(self, step: str, detail: str) -> None:
        """Log that a step begins."""
        logger.info("%s: %s", step, detail)

    def finished(self, step: str, detail: str) -> None:
        """Log that a step is done."""
        logger.info("%s: %s", step, " ".join(detail.splitlines()))

    def noted(self, message: str) -> None:
        """Log a line."""
        logger.info("%s", message)

    def job_changed(self, report: JobReport) -> None:
        """Log where the job stands, not at every look, and what its losses mean."""
        for finding in report.findings:
            self._found(report.job_id, finding)
        if report.state == self._state and report.elapsed - self._logged_at < _LOG_EVERY_SECONDS:
            return
        self._state, self._logged_at = report.state, report.elapsed
        logger.info(
            "job %s: %s, step %s, train loss %s, valid loss %s, %s, left %s, tokens billed %s",
            report.job_id,
            report.state,
            step_text(report),
            loss_text(report.train_loss),
            loss_text(report.valid_loss),
            elapsed_text(report.elapsed),
            left_text(report),
            tokens_text(report),
        )

    def deployment_changed(self, name: str, state: str) -> None:
        """Log a deployment's state when it changes."""
        if self._deployments.get(name) != state:
            self._deployments[name] = state
            logger.info("deployment %s: %s", name, state)

    def _found(self, job_id: str, finding: Finding) -> None:
        before = self._levels.get(finding.rule)
        self._levels[finding.rule] = finding.level
        if finding.needs_attention and before != finding.level and before != "severe":
            logger.warning("job %s: %s", job_id, finding.sentence)
