"""Jobs, task values and sign-in with the real SDKs, against a workspace on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, WorkloadIdentityCredential
from click.testing import CliRunner

from finelake.cli.job import job
from finelake.config.service import Entra
from finelake.config.settings import SecretRef, Service
from finelake.databricks.jobs import job_run, start_job, wait_for_run
from finelake.databricks.limits import PARAMETERS_BYTES
from finelake.databricks.task_values import publish_values
from finelake.databricks.workspace import sign_in_environment, workspace_client
from finelake.errors import ConfigError, InputError, OutputError
from finelake.services.credentials import entra_credential, resource_manager_credential
from support.workspace import TOKEN, State

pytestmark = pytest.mark.http

RUN = {901: ["PENDING", "RUNNING", "TERMINATED SUCCESS"]}


def test_a_job_is_started_by_its_name_and_watched(workspace: State) -> None:
    workspace.jobs = {11: "other", 12: "finelake"}
    workspace.runs = {901: list(RUN[901])}
    client = workspace_client(needed_for="the test")
    run = start_job(client, "finelake", {"schema": "finelake"})
    assert workspace.started == [{"job_id": 12, "job_parameters": {"schema": "finelake"}}]
    pauses: list[float] = []
    ended = wait_for_run(client, run, pause_seconds=3.0, sleep=pauses.append)
    assert (ended.state, ended.result, ended.page) == ("TERMINATED", "SUCCESS", "https://w.example/run")
    assert pauses == [3.0, 3.0]


def test_a_busy_workspace_starts_a_job_once(workspace: State) -> None:
    workspace.jobs = {12: "finelake"}
    workspace.faults = [("POST /api/2.2/jobs/run-now", 429, "REQUEST_LIMIT_EXCEEDED")]
    start_job(workspace_client(needed_for="the test"), "finelake", {})
    assert len(workspace.started) == 1


def test_what_cannot_be_started_is_said(workspace: State) -> None:
    client = workspace_client(needed_for="the test")
    with pytest.raises(InputError, match="0 jobs are called 'finelake', expected one"):
        start_job(client, "finelake", {})
    workspace.jobs = {12: "finelake"}
    with pytest.raises(ConfigError, match=r"The parameters are 10,\d+ bytes of JSON; Databricks takes 10,000"):
        start_job(client, "finelake", {"long": "x" * PARAMETERS_BYTES})
    workspace.faults = [("POST /api/2.2/jobs/run-now", 403, "PERMISSION_DENIED")]
    with pytest.raises(OutputError, match=r"refuses job finelake \(PermissionDenied\); it needs CAN MANAGE RUN"):
        start_job(client, "finelake", {})
    assert workspace.started == []


def test_the_command_ends_as_the_run_does(workspace: State) -> None:
    workspace.jobs = {12: "finelake"}
    workspace.runs = {901: ["RUNNING"], 902: ["TERMINATED FAILED"]}
    begun = CliRunner().invoke(job, ["--parameter", "schema=x"])
    assert (begun.exit_code, begun.output.split()[:2]) == (0, ["run_id=901", "state=RUNNING"])
    failed = CliRunner().invoke(job, ["--wait"])
    assert (failed.exit_code, "result=FAILED" in failed.output) == (5, True)
    assert job_run(workspace_client(needed_for="the test"), 902).ended


def test_task_values_are_set_by_the_real_client(workspace: State) -> None:
    # Away from a driver the client takes them and does nothing; nothing here relies on more.
    assert not workspace.jobs
    assert publish_values({"verdict": "hold"}, environment={"IS_SERVERLESS": "true"}) is True


def test_task_values_that_are_refused_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delitem(sys.modules, "databricks.sdk.runtime", raising=False)
    assert publish_values({"verdict": "hold"}, environment={"IS_SERVERLESS": "true"}) is False
    assert "task values were not set (ValueError)" in caplog.text


def test_entra_signs_in_as_the_settings_say(workspace: State, tmp_path: Path) -> None:
    workspace.secrets = {("finelake", "tenant"): "t-0", ("finelake", "secret"): "s3cret-value"}
    tenant, secret = SecretRef(scope="finelake", key="tenant"), SecretRef(scope="finelake", key="secret")
    by_secret = Entra(tenant_id=tenant, client_id="c-0", client_secret=secret)
    assert isinstance(entra_credential(by_secret, setting="service.api_key"), ClientSecretCredential)
    assert isinstance(resource_manager_credential(Service(entra=by_secret)), ClientSecretCredential)
    assert isinstance(entra_credential(None, setting="service.api_key"), DefaultAzureCredential)
    by_file = Entra(tenant_id="t-0", client_id="c-0", token_file=str(tmp_path / "token"))
    credential = entra_credential(by_file, setting="service.api_key")
    assert isinstance(credential, WorkloadIdentityCredential)
    # The token is read when one is needed: there is none yet.
    with pytest.raises((AzureError, OSError)):
        credential.get_token("https://management.azure.com/.default")


def test_a_service_credential_away_from_databricks_is_refused(workspace: State) -> None:
    assert not workspace.jobs
    with pytest.raises(ConfigError, match=r"service\.entra\.service_credential: azure-openai gives no credential here"):
        entra_credential(Entra(service_credential="azure-openai"), setting="service.api_key")


@pytest.mark.usefixtures("workspace")
def test_a_process_of_its_own_is_given_the_sign_in_where_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert sign_in_environment() == {}
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert sign_in_environment() == {}
    host = os.environ["DATABRICKS_HOST"]
    profile = tmp_path / "profile"
    profile.write_text(f"[DEFAULT]\nhost = {host}\ntoken = {TOKEN}\n", encoding="utf-8")
    monkeypatch.delenv("DATABRICKS_TOKEN")
    monkeypatch.delenv("DATABRICKS_HOST")
    assert sign_in_environment() == {}
    assert "no token for a process of its own (ConfigError)" in caplog.text
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profile))
    assert sign_in_environment() == {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": TOKEN}
    assert TOKEN not in caplog.text
