"""The live view of a training run on a terminal."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from finelake.training.display.plot import loss_plot
from finelake.training.display.wording import elapsed_text, left_text, loss_text, step_text, tokens_text
from finelake.training.progress import JobReport, Progress

_LAST_NOTES = 6
_WIDEST_PLOT = 120
_WIDEST_BAR = 60
_STYLES = {"warning": "yellow", "severe": "bold red"}


class TerminalProgress(Progress):
    """The running step, the job with its losses as a plot, what they mean, deployments, and the last events."""

    def __init__(self, console: Console) -> None:
        self._notes: deque[str] = deque(maxlen=_LAST_NOTES)
        self._report: JobReport | None = None
        self._reported_at = 0.0
        self._deployments: dict[str, str] = {}
        self._step = ""
        self._plot: tuple[int, int, Text | None] = (0, 0, None)
        self._console = console
        self._live = Live(console=console, get_renderable=self.view, refresh_per_second=4, transient=True)

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
        table = Table.grid(padding=(0, 1))
        table.add_column(width=7)
        table.add_row(step, Text(detail, overflow="fold"))
        self._console.print(table)

    def noted(self, message: str) -> None:
        """Show a line among the last ones."""
        self._notes.append(message)

    def job_changed(self, report: JobReport) -> None:
        """Show where the job stands."""
        self._report, self._reported_at = report, time.monotonic()

    def deployment_changed(self, name: str, state: str) -> None:
        """Show where a deployment stands."""
        self._deployments[name] = state

    def view(self) -> RenderableType:
        """Give what the terminal shows now."""
        parts: list[RenderableType] = [Text(self._step, style="bold")]
        if self._report is not None:
            parts += self._job(self._report)
        parts += [Text(f"deployment {name}: {state}") for name, state in self._deployments.items()]
        parts += [Text(note, style="dim", no_wrap=True, overflow="ellipsis") for note in self._notes]
        return Group(*parts)

    def _job(self, report: JobReport) -> list[RenderableType]:
        parts: list[RenderableType] = [Text(report.job_id, no_wrap=True), self._numbers(report)]
        width = min(self._console.width, _WIDEST_PLOT)
        if report.step is not None and report.steps:
            bar = Table.grid()  # a bar alone ends without a new line
            bar.add_row(ProgressBar(total=report.steps, completed=report.step, width=min(width, _WIDEST_BAR)))
            parts.append(bar)
        if plot := self._drawn(report, width):
            parts.append(plot)
        for finding in report.findings:
            if finding.needs_attention:
                parts.append(Text(finding.sentence, style=_STYLES[finding.level]))
        return parts

    def _numbers(self, report: JobReport) -> Table:
        since = 0.0 if report.has_ended else time.monotonic() - self._reported_at
        table = Table(box=None, pad_edge=False)
        for heading in ("state", "step", "train loss", "valid loss", "elapsed", "left", "tokens billed"):
            table.add_column(heading, no_wrap=True)
        table.add_row(
            report.state,
            step_text(report),
            loss_text(report.train_loss),
            loss_text(report.valid_loss),
            elapsed_text(report.elapsed + since),
            left_text(report, since=since),
            tokens_text(report),
        )
        return table

    def _drawn(self, report: JobReport, width: int) -> Text | None:
        """Draw the plot when something was measured since, or the terminal has another width."""
        curves = report.curves
        points = len(curves.train) + len(curves.valid) + len(curves.full_valid)
        if self._plot[:2] != (points, width):
            colours = self._console.color_system is not None and self._console.encoding.startswith("utf")
            self._plot = (points, width, loss_plot(curves, width=width, colours=colours))
        return self._plot[2]
