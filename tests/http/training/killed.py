"""A training run in a process of its own, for tests that end it as a crash would.

Run as `python -m tests.http.training.killed SETTINGS_FILE REMOTE`; REMOTE is a Spark Connect server's address.
"""

from __future__ import annotations

import sys
from pathlib import Path

from finelake.cli.failures import explained_exit
from finelake.config.settings import SessionSettings, Settings
from finelake.session import spark_session
from finelake.training.driver import train


def main() -> None:
    """Train with the settings of a file, and print the outcome's run id."""
    settings_file, remote = sys.argv[1:]
    settings = Settings.model_validate_json(Path(settings_file).read_text(encoding="utf-8"))
    session = SessionSettings(mode="connect", remote=remote)
    with explained_exit():
        outcome = train(spark_session(session, app_name="finelake-killed"), settings)
    sys.stdout.write(f"{outcome.run_id}\n")


if __name__ == "__main__":
    main()
