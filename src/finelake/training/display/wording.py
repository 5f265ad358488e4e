"""Where a job stands, as short texts that the live view and the log lines share."""

from __future__ import annotations

from finelake.training.progress import JobReport


def step_text(report: JobReport) -> str:
    """Write `120/300`, or less when less is known; `~` marks steps that are estimated."""
    if report.step is None:
        return "-"
    if not report.steps:
        return str(report.step)
    return f"{report.step}/{'~' if report.estimated else ''}{report.steps}"


def loss_text(loss: float | None) -> str:
    """Write a loss with four digits, or a dash."""
    return "-" if loss is None else f"{loss:.4f}"


def elapsed_text(seconds: float) -> str:
    """Write seconds as h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def left_text(report: JobReport, *, since: float = 0.0) -> str:
    """Write the time until the last step, less the seconds `since` the report; `~` where steps are estimated."""
    if report.seconds_left is None:
        return "-"
    return f"{'~' if report.estimated else ''}{elapsed_text(max(0.0, report.seconds_left - since))}"


def tokens_text(report: JobReport) -> str:
    """Write the tokens that are billed, or with `~` those trained so far; a dash when neither is known."""
    if report.billed is not None:
        return f"{report.billed:,}"
    return "-" if report.trained is None else f"~{report.trained:,} so far"
