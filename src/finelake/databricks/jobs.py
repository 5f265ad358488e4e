"""Starting a job of the workspace from outside, and asking how its run stands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finelake.databricks.limits import PARAMETERS_BYTES
from finelake.databricks.workspace import workspace_problem
from finelake.errors import ConfigError, InputError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_ENDED = {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run of a job: `state` is PENDING, RUNNING and so on; `result` SUCCESS, FAILED and so on once it has ended."""

    run_id: int
    state: str
    result: str | None
    page: str | None

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in _ENDED


def start_job(client: WorkspaceClient, name: str, parameters: Mapping[str, str]) -> int:
    """Start the job of a name with values for its parameters, and give the run's id.

    Raises InputError where no job, or more than one, has the name; ConfigError for more than the platform takes.
    """
    from databricks.sdk.errors.base import DatabricksError

    size = len(json.dumps(dict(parameters)).encode())
    if size > PARAMETERS_BYTES:
        raise ConfigError(
            f"The parameters are {size:,} bytes of JSON; Databricks takes {PARAMETERS_BYTES:,}. Put long values into "
            f"the configuration file."
        )
    try:
        found = [job.job_id for job in client.jobs.list(name=name) if job.job_id is not None]
        if len(found) != 1:
            raise InputError(
                f"{len(found)} jobs are called {name!r}, expected one. `databricks bundle summary` lists those of the "
                f"bundle; in target dev their names begin with [dev YOUR NAME]."
            )
        answer: Any = client.jobs.run_now(found[0], job_parameters=dict(parameters) or None).response
    except DatabricksError as error:
        raise workspace_problem(error, place=f"job {name}", needs="CAN MANAGE RUN") from None
    return int(answer.run_id)


def job_run(client: WorkspaceClient, run_id: int) -> JobRun:
    """Ask how a run stands."""
    from databricks.sdk.errors.base import DatabricksError

    try:
        found = client.jobs.get_run(run_id)
    except DatabricksError as error:
        raise workspace_problem(error, place=f"run {run_id}", needs="CAN VIEW") from None
    life = found.state.life_cycle_state if found.state else None
    result = found.state.result_state if found.state else None
    return JobRun(run_id, life.value if life else "UNKNOWN", result.value if result else None, found.run_page_url)


def wait_for_run(
    client: WorkspaceClient, run_id: int, *, pause_seconds: float = 20.0, sleep: Callable[[float], None] = time.sleep
) -> JobRun:
    """Ask until a run is over, and give how it ended."""
    while not (found := job_run(client, run_id)).ended:
        sleep(pause_seconds)
    return found
