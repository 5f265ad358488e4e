"""What the task mains share: arguments, settings, session, and logging that no library does for itself."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from finelake.config.loading import load_settings
from finelake.config.settings import Settings
from finelake.errors import ConfigError
from finelake.logs import bind, start_task_logging
from finelake.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_REFERENCE = "{{"


@dataclass(frozen=True)
class Task:
    """A task's name, arguments and settings; its session starts when it is first asked for."""

    name: str
    given: argparse.Namespace
    settings: Settings

    @cached_property
    def spark(self) -> SparkSession:
        """The session of the platform, or a local one."""
        return spark_session(self.settings.session, app_name=f"finelake {self.name}")


def task_parser(name: str, *, does: str) -> argparse.ArgumentParser:
    """Give the parser of a task with the options that all tasks have; `does` is its one-line description."""
    parser = argparse.ArgumentParser(prog=name, description=does, allow_abbrev=False)
    parser.add_argument("--config", type=Path, required=True, help="configuration file, absolute on a cluster")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting")
    parser.add_argument(
        "--variable",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value for ${NAME} in the configuration; it comes before the environment",
    )
    parser.add_argument("--run-id", default="", help="the job run's id, for log lines")
    parser.add_argument("--log-format", choices=["text", "json"], default="text", help="one JSON object a log line")
    return parser


def begin(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> Task:
    """Start a task's log and read its arguments and settings; raises ConfigError on any mistake in them."""
    task = read_task(parser, sys.argv[1:] if arguments is None else arguments)
    start_task_logging(task.given.log_format)
    bind(task=task.name, job_run=task.given.run_id)
    return task


def read_task(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Task:
    """Read a task's arguments and settings; raises ConfigError on any mistake in them, SystemExit as argparse does."""
    given = parser.parse_args(filled_in(arguments))
    environment = {**os.environ, **dict(_variable(each) for each in given.variable)}
    return Task(parser.prog, given, load_settings(given.config, overrides=given.set, environment=environment))


def filled_in(arguments: Sequence[str]) -> list[str]:
    """Give the arguments back. Raises ConfigError for one that still holds a reference such as `{{job.run_id}}`.

    The platform leaves a misspelt reference as it is.
    """
    option = ""
    for argument in arguments:
        option = argument.split("=", 1)[0] if argument.startswith("--") else option
        if _REFERENCE in argument:
            name = argument.split("=", 1)[0].split(_REFERENCE, 1)[0]
            place = " ".join(dict.fromkeys(part for part in (option, name) if part)) or "an argument"
            reference = _REFERENCE + argument.split(_REFERENCE, 1)[1].split("}}", 1)[0] + "}}"
            raise ConfigError(
                f"{place}: the value still holds {reference!r}, so a job parameter was not filled in. Correct the "
                f"reference in the job's definition, or declare the parameter there."
            )
    return list(arguments)


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise ConfigError(f"--variable {name!r}: expected NAME=VALUE, for example FINELAKE_CATALOG=main.")
    return name, value
