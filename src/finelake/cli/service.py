"""Serving the local service by a command."""

from __future__ import annotations

from pathlib import Path

from finelake.errors import EnvironmentProblem


def start_in_foreground(*, port: int, state: Path, api_key: str, training_seconds: float) -> None:
    """Serve until ended. Raises EnvironmentProblem when the extra is missing or the port is taken."""
    try:
        from finelake.emulator import EmulatorOptions, serve
    except ImportError as error:
        raise EnvironmentProblem(f"The local service needs {error.name}: pip install 'finelake[emulator]'.") from None
    options = EmulatorOptions(training_seconds=training_seconds)
    serve(host="127.0.0.1", port=port, state_folder=state, api_key=api_key, options=options)
