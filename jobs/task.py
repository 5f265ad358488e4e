"""What the task mains share: arguments, settings, session, and logging that no library does for itself."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finelake.config.loading import load_settings
from finelake.config.settings import Settings
from finelake.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def start(task: str, arguments: Sequence[str] | None) -> tuple[SparkSession, Settings]:
    """Read a task's arguments and give its session and settings; raises ConfigError on any mistake in them."""
    settings = settings_of(task, arguments)
    return spark_session(settings.session, app_name=f"finelake {task}"), settings


def settings_of(task: str, arguments: Sequence[str] | None) -> Settings:
    """Read a task's arguments and give its settings, for tasks without Spark; raises ConfigError on any mistake."""
    parser = argparse.ArgumentParser(prog=task)
    parser.add_argument("--config", type=Path, required=True, help="configuration file, absolute on a cluster")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return load_settings(given.config, overrides=given.set)
