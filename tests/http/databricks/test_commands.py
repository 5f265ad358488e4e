"""The commands from outside a workspace: which of them work on the files of a Volume, and which leave it alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from finelake.cli.main import commands
from finelake.errors import EnvironmentProblem, OutputError
from support.workspace import USER, State

pytestmark = pytest.mark.http

VOLUME = "/Volumes/main/finelake/published"
FILES = "/api/2.0/fs/"
ON_FILES = {
    "curate": [],
    "prepare": ["lines.jsonl"],
    "plan": [],
    "train": [],
    "shards": [],
    "cancel": [],
    "pause": [],
    "resume": [],
    "evaluate": [],
    "promote": [],
    "run": [],
    "report": [],
    "erase": ["--conversation", "c-1"],
}
ON_TABLES = {
    "ingest": ["turns.jsonl"],
    "clean": [],
    "rollback": [],
    "aliases": [],
    "why": ["c-1"],
    "profile": [],
    "vacuum": [],
    "runs": [],
    "reproduce": ["8b5c"],
    "diff": ["8b5c", "9d1e"],
}
WITHOUT_SETTINGS = {"sample", "emulator", "demo", "job"}


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address on this machine where nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def config(tmp_path: Path, nobody: str) -> str:
    """A configuration whose files are in a Volume; neither its Spark nor its service answers."""
    path = tmp_path / "finelake.yml"
    path.write_text(
        "project: desk\nmodel: gpt-4.1-mini\n"
        "source: {table: main.support.raw, layout: conversations}\n"
        f"tables: {{location: main.finelake}}\noutput: {{folder: {VOLUME}/desk}}\n"
        f"session: {{mode: connect, remote: 'sc://{nobody}'}}\n"
        f"service: {{kind: openai, endpoint: 'http://{nobody}/v1', api_key: {{env: DESK_TEST_KEY}}}}\n",
        encoding="utf-8",
    )
    return str(path)


def ended(name: str, *arguments: str, config: str) -> Result:
    return CliRunner().invoke(commands, [name, "--config", config, *arguments], env={"DESK_TEST_KEY": "sk-0"})


def test_every_command_has_decided() -> None:
    assert {*ON_FILES, *ON_TABLES, *WITHOUT_SETTINGS, "doctor"} == set(commands.commands)


@pytest.mark.parametrize("name", ON_FILES)
def test_a_command_that_works_on_files_brings_them_first(workspace: State, config: str, name: str) -> None:
    workspace.faults = [(f"GET {FILES}", 403, "PERMISSION_DENIED")]
    refused = ended(name, *ON_FILES[name], config=config).exception
    assert isinstance(refused, OutputError)
    assert "it needs READ VOLUME" in str(refused)


@pytest.mark.parametrize("name", ON_TABLES)
def test_a_command_that_needs_no_files_brings_none(workspace: State, config: str, name: str) -> None:
    failed = ended(name, *ON_TABLES[name], config=config).exception
    assert isinstance(failed, EnvironmentProblem)
    assert "No Spark Connect server listens" in str(failed)
    assert workspace.requests == []


def test_a_job_that_is_named_is_controlled_without_files(workspace: State, config: str) -> None:
    ended("pause", "--job", "ftjob-1", config=config)
    assert workspace.requests == []


def test_the_doctor_says_the_grant_that_the_files_need(workspace: State, config: str) -> None:
    workspace.faults = [(f"GET {FILES}", 403, "PERMISSION_DENIED")] * 9
    workspace.grants = {("volume", "main.finelake.published"): ["WRITE_VOLUME"]}
    told = ended("doctor", "--json", config=config)
    assert told.exit_code == 6
    assert f"GRANT READ VOLUME ON VOLUME `main`.`finelake`.`published` TO `{USER}`;" in told.stdout
    assert not [asked for asked in workspace.requests if FILES in asked]


def test_the_doctor_reports_that_nothing_signs_in(
    workspace: State, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # nor a command line of Databricks or Azure
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name)
    told = ended("doctor", "--json", config=config)
    assert told.exit_code == 6
    assert '"name": "Workspace", "ok": false' in told.stdout
    assert "databricks auth login" in told.stdout
    assert workspace.requests == []
