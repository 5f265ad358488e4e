"""Run the service: `python -m finelake.emulator --state FOLDER [--port PORT]`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from finelake.emulator import EmulatorOptions, serve
from finelake.errors import FinelakeError

KEY_VARIABLE = "FINELAKE_EMULATOR_KEY"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, serve until ended, and return the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        options = EmulatorOptions(**{field.name: getattr(given, field.name) for field in fields(EmulatorOptions)})
        serve(host=given.host, port=given.port, state_folder=given.state, api_key=given.api_key, options=options)
    except FinelakeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finelake.emulator",
        description="Rehearse fine-tuning on this machine. A rehearsal with an n-gram model, not a language model.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback only")
    parser.add_argument("--port", type=int, default=8040, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps everything across restarts")
    parser.add_argument("--api-key", default=os.environ.get(KEY_VARIABLE, ""), help=f"default: ${KEY_VARIABLE}")
    defaults = EmulatorOptions()
    for field in fields(EmulatorOptions):
        default = getattr(defaults, field.name)
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(option, type=type(default), default=default, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
