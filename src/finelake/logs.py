"""Log lines with the task, the job run, finelake's run and the step they belong to; as text or as JSON.

A line never holds row data: of an exception that is not one of finelake's own it tells the kind and the place, since
the messages of Spark's errors may quote rows.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

from finelake.errors import FinelakeError

LogFormat = Literal["text", "json"]

_FIELDS_AT = "_finelake_log_fields"
# A line of its own of what a Python worker printed; it names code, no data.
_NO_MODULE = re.compile(r"^\s*ModuleNotFoundError: (No module named '[\w.]{1,80}')\s*$", re.MULTILINE)

_bound: ContextVar[dict[str, str] | None] = ContextVar("finelake_log_fields", default=None)


def log_fields() -> dict[str, str]:
    """Give the fields that the lines of this context have."""
    return _bound.get() or {}


def bind(**fields: str) -> None:
    """Add fields (`task`, `job_run`, `run`, `step`) to the lines that this context logs from now on; "" removes one."""
    _bound.set({name: value for name, value in (log_fields() | fields).items() if value})


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Add fields to the lines that are logged meanwhile; an error that leaves keeps them for `fields_at`."""
    token = _bound.set({name: value for name, value in (log_fields() | fields).items() if value})
    try:
        yield
    except BaseException as error:
        error.__dict__.setdefault(_FIELDS_AT, log_fields())
        raise
    finally:
        _bound.reset(token)


def fields_at(error: BaseException) -> dict[str, str]:
    """Give the fields that lines had where an error, or the one that it came of, was raised; else those of now."""
    cause: BaseException | None = error
    while cause is not None:
        if _FIELDS_AT in cause.__dict__:
            fields: dict[str, str] = cause.__dict__[_FIELDS_AT]
            return fields
        cause = cause.__cause__ or cause.__context__
    return log_fields()


class TextLines(logging.Formatter):
    """`time level logger: message task=... run=... step=...`, times in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of a record."""
        fields = "".join(f" {name}={value}" for name, value in log_fields().items())
        return f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{fields}{_error(record, ' ')}"


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the bound fields, and `error` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of a record."""
        line = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **log_fields(),
        }
        error = _error(record, "")
        return json.dumps(line | ({"error": error} if error else {}), ensure_ascii=False)


def start_task_logging(form: LogFormat) -> None:
    """Send finelake's log lines, and others' from warnings on, to standard error in the form that is asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each.formatter, (TextLines, JsonLines))]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("finelake").setLevel(logging.INFO)


def told(error: BaseException) -> str:
    """Tell of an error what may be shown: a FinelakeError's message; of others the kind, condition and place.

    A module that is missing, also where Spark's workers run, is named.
    """
    if isinstance(error, FinelakeError):
        return f"{type(error).__name__}: {error}"
    condition = getattr(error, "getCondition", lambda: None)()
    kind = f"{type(error).__name__} ({condition})" if condition else type(error).__name__
    missing = _NO_MODULE.search(f"{type(error).__name__}: {error}")
    return f"{kind}{_place(error.__traceback__)}{f': {missing.group(1)}' if missing else ''}"


def _place(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    return f" at {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


def _error(record: logging.LogRecord, before: str) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return "" if error is None else before + told(error)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
