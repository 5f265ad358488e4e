"""The task mains' arguments: references that were not filled in, variables, and what a verdict ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finelake.config.settings import Service
from finelake.databricks.limits import TASK_VALUE_BYTES
from finelake.databricks.task_values import publish_values
from finelake.errors import ConfigError, OutputError
from finelake.jobs import curate, prepare
from finelake.jobs.task import filled_in, read_task

ROOT = Path(__file__).resolve().parents[2]
FILE = """
project: desk
model: gpt-4.1-mini
source: {table: "${CATALOG}.support.raw", layout: conversations}
"""
RESOURCE = "/subscriptions/0-0/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/desk"


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration that asks for one variable."""
    file = tmp_path / "finelake.yml"
    file.write_text(FILE, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--config", "{{job.parameters.confg}}"], "--config: the value still holds '{{job.parameters.confg}}'"),
        (["--set", "source.table={{job.parameters.t}}"], "--set source.table: the value still holds"),
        (["--run-id={{job.runid}}"], "--run-id: the value still holds '{{job.runid}}'"),
        (["{{tasks.a.values.b}}"], "an argument: the value still holds"),
        (["--variable", "CATALOG={{job.parameters.c"], "--variable CATALOG: the value still holds"),
    ],
)
def test_a_reference_that_was_not_filled_in_is_refused(arguments: list[str], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        filled_in(arguments)
    assert str(refused.value).startswith(named)
    assert "a job parameter was not filled in" in str(refused.value)


def test_arguments_without_references_stay_as_they_are() -> None:
    assert filled_in(["--set", "a={b: {c: 1}}"]) == ["--set", "a={b: {c: 1}}"]


def test_variables_come_before_the_environment(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG", "from_environment")
    common = ["--config", config]
    assert read_task(curate.parser(), common).settings.source.table == "from_environment.support.raw"
    given = read_task(curate.parser(), [*common, "--variable", "CATALOG=given"])
    assert given.settings.source.table == "given.support.raw"
    with pytest.raises(ConfigError, match="--variable number 1: expected NAME=VALUE") as refused:
        read_task(curate.parser(), [*common, "--variable", "hunter2"])
    assert "hunter2" not in str(refused.value)


FAILING = """
import sys
from finelake.errors import InputError
from finelake.jobs.task import begin, guarded, task_parser
from finelake.logs import bound

@guarded
def main(arguments=None):
    begin(task_parser("failing", does="Fail."), sys.argv[2:])
    with bound(run="8b5c", step="read"):
        row = "my card is " + "4111"
        if sys.argv[1] == "theirs":
            raise ZeroDivisionError(row)
        if sys.argv[1] == "exit":
            sys.exit(11)
        try:
            raise ValueError(row)
        except ValueError as error:
            raise InputError("Table t is empty.") from error

main()
"""


def failing(config: str, kind: str, *more: str) -> tuple[int, str, dict[str, str]]:
    """Run a task that fails as a process: its exit code, all that it said, and its last line that is JSON."""
    arguments = [kind, "--config", config, "--log-format", "json", "--run-id", "4711", *more]
    ended = subprocess.run(
        [sys.executable, "-c", FAILING, *arguments],
        env={**os.environ, "CATALOG": "main"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = ended.stdout + ended.stderr
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return ended.returncode, said, lines[-1] if lines else {}


@pytest.mark.parametrize(
    ("kind", "told", "last"),
    [
        ("theirs", "failed: ZeroDivisionError at <string>, line 13", "RuntimeError: ZeroDivisionError at <string>"),
        ("ours", "failed: InputError: Table t is empty.", "finelake.errors.InputError: Table t is empty."),
    ],
)
def test_a_task_that_fails_says_so_in_one_line_and_quotes_no_row(config: str, kind: str, told: str, last: str) -> None:
    code, said, line = failing(config, kind)
    assert code == 1
    assert line["message"].startswith(told)
    assert (line["level"], line["task"], line["job_run"]) == ("ERROR", "failing", "4711")
    assert (line["run"], line["step"]) == ("8b5c", "read")
    assert said.splitlines()[-1].startswith(last)
    assert "4111" not in said


def test_a_mistake_in_the_arguments_is_a_line_too_and_an_exit_code_passes(config: str) -> None:
    code, _, line = failing(config, "ours", "--set", "splits.test=much")
    assert (code, line["level"], line["task"], line["job_run"]) == (1, "ERROR", "failing", "4711")
    assert "splits.test: found 'much'" in line["message"]
    code, _, line = failing(config, "ours", "--run-id={{job.runid}}")
    assert (code, line["level"]) == (1, "ERROR")
    assert "a job parameter was not filled in" in line["message"]
    assert failing(config, "exit")[0] == 11


def test_every_task_is_guarded() -> None:
    mains = [file for file in (ROOT / "jobs").glob("*.py") if "def main(" in file.read_text(encoding="utf-8")]
    assert len(mains) > 5
    assert [file.name for file in mains if "@guarded\ndef main(" not in file.read_text(encoding="utf-8")] == []


def test_options_are_not_abbreviated(config: str) -> None:
    with pytest.raises(SystemExit):
        read_task(curate.parser(), ["--conf", config])
    read = read_task(prepare.parser(), ["pairs.jsonl", "--config", config, "--set", "source.table=t"])
    assert (read.given.source, read.given.column) == ("pairs.jsonl", None)


def test_task_values_are_set_only_where_a_job_runs_and_only_small_ones(caplog: pytest.LogCaptureFixture) -> None:
    assert publish_values({"verdict": "hold"}, environment={}) is False
    assert caplog.text == ""
    fits = "x" * (TASK_VALUE_BYTES - 2)
    assert publish_values({"long": fits}, environment={}) is False
    with pytest.raises(OutputError, match=r"Task value long is 49,153 bytes of JSON; Databricks takes 49,152"):
        publish_values({"long": fits + "x"}, environment={})


def test_an_azure_resource_id_gives_what_is_not_set() -> None:
    service = Service.model_validate({"resource": RESOURCE})
    assert (service.subscription_id, service.resource_group, service.account) == ("0-0", "ai", "desk")
    assert service.endpoint == "https://desk.openai.azure.com"
    own = Service.model_validate({"resource": RESOURCE, "endpoint": "https://desk.example", "account": "other"})
    assert (own.endpoint, own.account) == ("https://desk.example", "other")
    with pytest.raises(ValueError, match="resource must be an Azure resource id"):
        Service.model_validate({"resource": "desk"})


def test_entra_signs_in_one_way() -> None:
    ids = {"tenant_id": "t", "client_id": "c"}
    assert Service.model_validate({"entra": {**ids, "token_file": "/run/token"}}).entra
    assert Service.model_validate({"entra": {"service_credential": "azure-openai"}}).entra
    both = {**ids, "token_file": "/run/token", "service_credential": "x"}
    for wrong in ({}, both, {"token_file": "/run/token"}, {"client_secret": {"env": "S"}}):
        with pytest.raises(ValueError, match=r"give one of|need tenant_id"):
            Service.model_validate({"entra": wrong})
