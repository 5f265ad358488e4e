"""Limits of the platform that a run must keep to, and their sources."""

from __future__ import annotations

TASK_VALUE_BYTES = 48 * 1024
"""The JSON of a task value (docs.databricks.com/jobs/task-values)."""
PARAMETERS_BYTES = 10_000
"""The JSON of a task's parameters and of a job's (Jobs API, `python_params` and `job_parameters`)."""
LOCAL_FRAME_BYTES = 128 * 10**6
"""A frame made of rows that the client sends along (docs.databricks.com/compute/serverless/limitations)."""
