"""What the task mains share: arguments, settings, session, and logging that no library does for itself."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from finelake.config.loading import load_settings
from finelake.config.settings import Settings
from finelake.errors import ConfigError, FinelakeError
from finelake.logs import bind, bound, fields_at, start_task_logging, told
from finelake.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

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


def guarded(main: Callable[[Sequence[str] | None], None]) -> Callable[..., None]:
    """Let a task main fail without a row on the platform's page and log: one ERROR line, and an error that quotes none.

    An error of finelake's own ends the task as it is, without what it came of. Of any other, whose message may quote
    rows as Spark's do, a RuntimeError tells kind, condition and place. Exit codes pass.
    """

    @wraps(main)
    def guarded_main(arguments: Sequence[str] | None = None) -> None:
        with _Failure() as failure:
            main(arguments)
        if failure.told is not None:
            raise failure.told from None

    return guarded_main


class _Failure:
    """Catches what fails a task, logs it where it happened, and keeps what may be told of it."""

    told: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        with bound(**fields_at(error)):
            logger.error("failed: %s", told(error))
        known = isinstance(error, FinelakeError)
        self.told = error if known else RuntimeError(told(error)).with_traceback(trace)
        self.told.__context__ = None
        return True


def begin(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> Task:
    """Start a task's log and read its arguments and settings; raises ConfigError on any mistake in them."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # The log starts before the arguments are read, so that a mistake in them is a line of the form asked for, too.
    log = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    log.add_argument("--log-format")
    log.add_argument("--run-id", default="")
    asked, _ = log.parse_known_args(arguments)
    start_task_logging("json" if asked.log_format == "json" else "text")
    bind(task=parser.prog, job_run=asked.run_id)
    return read_task(parser, arguments)


def read_task(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Task:
    """Read a task's arguments and settings; raises ConfigError on any mistake in them, SystemExit as argparse does."""
    given = parser.parse_args(filled_in(arguments))
    variables = dict(_variable(each, number) for number, each in enumerate(given.variable, start=1))
    environment = {**os.environ, **variables}
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


def _variable(text: str, number: int) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        # What was given may be a secret that lost its name, so its place stands for it.
        raise ConfigError(f"--variable number {number}: expected NAME=VALUE, for example FINELAKE_CATALOG=main.")
    return name, value
