"""Which display a console gets."""

from __future__ import annotations

from rich.console import Console

from finelake.training.display.lines import LogProgress
from finelake.training.display.terminal import TerminalProgress


def progress_for(console: Console, *, live: bool = True) -> TerminalProgress | LogProgress:
    """Choose the display for a console: the live view on a terminal where `live` is wanted, log lines elsewhere.

    Use it as a context manager around `train`.
    """
    return TerminalProgress(console) if console.is_terminal and live else LogProgress()
