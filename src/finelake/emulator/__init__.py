"""Rehearse fine-tuning on one machine: the service's protocol, with a small honest learner behind it.

The emulator speaks the Azure OpenAI data plane, the ARM deployment calls and OpenAI's own paths over real HTTP on the
loopback interface. It is a rehearsal, not a language model: it fits a token n-gram model to the training file, so
that the losses it reports are true cross-entropies, and a tuned deployment answers by looking up the nearest trained
reply. Every response carries the header `x-finelake-rehearsal: true`, and every chat completion the
`system_fingerprint` `fp_finelake_rehearsal`.
"""

from __future__ import annotations

from pathlib import Path

from finelake.emulator.options import EmulatorOptions
from finelake.errors import EnvironmentProblem

__all__ = ["EmulatorOptions", "serve"]


def serve(
    *, host: str = "127.0.0.1", port: int, state_folder: Path, api_key: str, options: EmulatorOptions | None = None
) -> None:
    """Serve until the process is ended; port 0 takes a free one.

    Writes `service.json` (pid, port, url) into the state folder once the service answers. Raises ConfigError for a
    host that is not loopback or an empty key, and EnvironmentProblem when the port or the state folder is in use or
    a package of the extra `emulator` is missing.
    """
    try:
        from finelake.emulator.server import run_server
    except ModuleNotFoundError as error:
        raise EnvironmentProblem(
            f"The emulator needs the package {error.name}, which is not installed: pip install 'finelake[emulator]'."
        ) from error
    run_server(host=host, port=port, state_folder=state_folder, api_key=api_key, options=options or EmulatorOptions())
