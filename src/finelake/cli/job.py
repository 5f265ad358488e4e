"""`finelake job`: start the bundle's job from outside the workspace."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from finelake.cli.context import start_logging
from finelake.databricks.jobs import job_run, start_job, wait_for_run
from finelake.databricks.workspace import workspace_client
from finelake.errors import ConfigError

FAILED = 5


@click.command()
@click.argument("name", default="finelake")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A value for a job parameter.")
@click.option("--wait", is_flag=True, help="Wait until the run is over; a run that failed ends with 5.")
def job(name: str, parameters: tuple[str, ...], wait: bool) -> None:
    """Start the job NAME (default: finelake) of the Databricks workspace."""
    start_logging(verbose=False)
    given: dict[str, str] = {}
    for number, each in enumerate(parameters, start=1):
        key, separator, value = each.partition("=")
        if not separator or not key:
            raise ConfigError(f"--parameter number {number}: expected NAME=VALUE.")
        given[key] = value
    client = workspace_client(needed_for="finelake job")
    run = start_job(client, name, given)
    found = wait_for_run(client, run) if wait else job_run(client, run)
    ended = asdict(found)
    click.echo(" ".join(f"{key}={value}" for key, value in ended.items() if value is not None))
    if wait and found.result != "SUCCESS":
        sys.exit(FAILED)
