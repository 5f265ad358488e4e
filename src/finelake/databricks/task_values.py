"""Task values: what a task tells the tasks after it, where the platform takes them.

They are documented for notebooks alone, so nothing relies on them from a wheel task: the verdict also stands in
`comparison.json`, where the bundle's notebook and `promote` read it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from finelake.databricks.limits import TASK_VALUE_BYTES
from finelake.errors import OutputError
from finelake.session import on_platform

logger = logging.getLogger(__name__)


def publish_values(values: Mapping[str, Any], *, environment: Mapping[str, str] | None = None) -> bool:
    """Set task values where a Databricks job runs; tell whether they were set.

    What the platform does not take is said in one log line and stops nothing. Raises OutputError for a value whose
    JSON is larger than the platform's limit.
    """
    for key, value in values.items():
        _require_small(key, value)
    if not on_platform(os.environ if environment is None else environment):
        return False
    try:
        from databricks.sdk.runtime import dbutils

        for key, value in values.items():
            dbutils.jobs.taskValues.set(key=key, value=value)
    except _refusals() as error:
        logger.warning("task values were not set (%s); later tasks read the tables and files", type(error).__name__)
        return False
    logger.info("task values set: %s", ", ".join(values))
    return True


def _refusals() -> tuple[type[Exception], ...]:
    """Give what dbutils may raise: the client's errors, and py4j's where the driver talks to a JVM."""
    common = (ImportError, AttributeError, NotImplementedError, OSError, RuntimeError, TypeError, ValueError)
    try:
        from py4j.protocol import Py4JError
    except ImportError:
        return common
    return (*common, Py4JError)


def _require_small(key: str, value: Any) -> None:
    size = len(json.dumps(value).encode())
    if size > TASK_VALUE_BYTES:
        raise OutputError(
            f"Task value {key} is {size:,} bytes of JSON; Databricks takes {TASK_VALUE_BYTES:,}. Write it to a "
            f"table or file and pass its name."
        )
