"""Progress of curation and answering on a terminal; a line a step elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.status import Status

from finelake.evaluation.answers import AnswerProgress


class StepProgress:
    """Shows the running step of a curation with a spinner, and each finished one with its seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def __enter__(self) -> StepProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status:
            self._status.stop()

    def step_started(self, step: str) -> None:
        """Show the step that runs."""
        if self._console.is_terminal:
            self._status = self._console.status(f"curate: {step}")
            self._status.start()

    def step_finished(self, step: str, seconds: float) -> None:
        """Show what the step took."""
        if self._status:
            self._status.stop()
            self._status = None
        self._console.print(f"curate: {step} {seconds:.1f} s", highlight=False)


@contextmanager
def answer_progress(console: Console) -> Iterator[Callable[[AnswerProgress], None]]:
    """Show a bar of answers while both models are asked."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("answers", total=None)

        def tell(progress: AnswerProgress) -> None:
            bar.update(task, completed=progress.done, total=progress.total)

        yield tell
