"""The command line: `finelake COMMAND --config FILE`."""

from finelake.cli.main import main

__all__ = ["main"]
