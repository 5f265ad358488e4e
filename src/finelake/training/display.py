"""Showing a training run: a live table on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections import deque
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from finelake.training.progress import JobReport, Progress

logger = logging.getLogger(__name__)

_LAST_NOTES = 6
_LOG_EVERY_SECONDS = 30.0


class TerminalProgress(Progress):
    """A live table: the steps, the job's state, step, losses and elapsed time, and the last events."""

    def __init__(self, console: Console) -> None:
        self._notes: deque[str] = deque(maxlen=_LAST_NOTES)
        self._report: JobReport | None = None
        self._reported_at = 0.0
        self._deployments: dict[str, str] = {}
        self._step = ""
        self._console = console
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def __enter__(self) -> TerminalProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, step: str, detail: str) -> None:
        """Show the step that runs."""
        self._step = f"{step}: {detail}"

    def finished(self, step: str, detail: str) -> None:
        """Keep a finished step on the screen."""
        self._step = ""
        self._console.print(Text(f"{step:<8}{detail}"))

    def noted(self, message: str) -> None:
        """Show a line among the last ones."""
        self._notes.append(message)

    def job_changed(self, report: JobReport) -> None:
        """Show where the job stands."""
        self._report, self._reported_at = report, time.monotonic()

    def deployment_changed(self, name: str, state: str) -> None:
        """Show where a deployment stands."""
        self._deployments[name] = state

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [Text(self._step, style="bold")]
        if self._report is not None:
            parts.append(self._job_table(self._report))
            if self._report.step is not None and self._report.steps:
                parts.append(ProgressBar(total=self._report.steps, completed=self._report.step, width=60))
        parts += [Text(f"deployment {name}: {state}") for name, state in self._deployments.items()]
        parts += [Text(note, style="dim", no_wrap=True, overflow="ellipsis") for note in self._notes]
        return Group(*parts)

    def _job_table(self, report: JobReport) -> Table:
        ended = report.state in {"succeeded", "failed", "cancelled"}
        elapsed = report.elapsed + (0.0 if ended else time.monotonic() - self._reported_at)
        table = Table(box=None, pad_edge=False)
        for heading in ("job", "state", "step", "train loss", "valid loss", "elapsed"):
            table.add_column(heading, no_wrap=True)
        table.add_row(
            report.job_id,
            report.state,
            step_text(report),
            loss_text(report.train_loss),
            loss_text(report.valid_loss),
            elapsed_text(elapsed),
        )
        return table


class LogProgress(Progress):
    """Log lines: every step and event, and the job when its state changes or half a minute has passed."""

    def __init__(self) -> None:
        self._state = ""
        self._logged_at = 0.0
        self._deployments: dict[str, str] = {}

    def __enter__(self) -> LogProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def started(self, step: str, detail: str) -> None:
        """Log that a step begins."""
        logger.info("%s: %s", step, detail)

    def finished(self, step: str, detail: str) -> None:
        """Log that a step is done."""
        logger.info("%s: %s", step, detail)

    def noted(self, message: str) -> None:
        """Log a line."""
        logger.info("%s", message)

    def job_changed(self, report: JobReport) -> None:
        """Log where the job stands, not at every look."""
        if report.state == self._state and report.elapsed - self._logged_at < _LOG_EVERY_SECONDS:
            return
        self._state, self._logged_at = report.state, report.elapsed
        logger.info(
            "job %s: %s, step %s, train loss %s, valid loss %s, %s",
            report.job_id,
            report.state,
            step_text(report),
            loss_text(report.train_loss),
            loss_text(report.valid_loss),
            elapsed_text(report.elapsed),
        )

    def deployment_changed(self, name: str, state: str) -> None:
        """Log a deployment's state when it changes."""
        if self._deployments.get(name) != state:
            self._deployments[name] = state
            logger.info("deployment %s: %s", name, state)


def progress_for(console: Console) -> TerminalProgress | LogProgress:
    """Choose the display for a console; use it as a context manager around `train`."""
    return TerminalProgress(console) if console.is_terminal else LogProgress()


def step_text(report: JobReport) -> str:
    """Write `120/300`, or less when less is known."""
    if report.step is None:
        return "-"
    return f"{report.step}/{report.steps}" if report.steps else str(report.step)


def loss_text(loss: float | None) -> str:
    """Write a loss with four digits, or a dash."""
    return "-" if loss is None else f"{loss:.4f}"


def elapsed_text(seconds: float) -> str:
    """Write seconds as h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
