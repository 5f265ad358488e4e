"""The command line as a process: messages, exit codes, and no data in an unforeseen error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from finelake.cli.main import commands
from finelake.config.loading import load_settings

ROOT = Path(__file__).resolve().parents[3]


def finelake(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "finelake", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_all_commands_of_the_readme_are_there() -> None:
    fenced = (ROOT / "README.md").read_text(encoding="utf-8").split("```")[1::2]
    shell = [block for block in fenced if block.startswith("\n")]
    named = set(re.findall(r"^finelake (\w+)", "".join(shell), re.MULTILINE))
    assert named
    assert named <= set(commands.commands)
    assert {"ingest", "curate", "train", "evaluate", "run", "why", "report", "emulator", "doctor"} <= set(
        commands.commands
    )


def test_without_a_configuration_it_says_what_to_give(tmp_path: Path) -> None:
    ended = finelake("curate", folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == "finelake: No configuration: give --config FILE, or put finelake.yml into this folder.\n"


def test_mistakes_are_told_at_once_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "finelake.yml").write_text(
        "project: Demo\nmodel: gpt-4.1\nsource: {table: t, layout: turns}\n", encoding="utf-8"
    )
    ended = finelake("curate", "--json", "--set", "spilts.test=2", folder=tmp_path)
    assert ended.returncode == 2
    error = json.loads(ended.stdout)["error"]
    assert error["kind"] == "ConfigError"
    for part in ("project", "turn_index", "spilts", "splits"):
        assert part in error["message"]


@pytest.mark.parametrize("name", ["local.yml", "azure.yml", "databricks.yml"])
def test_the_shipped_configurations_are_valid(name: str) -> None:
    variables = {
        "AZURE_OPENAI_ENDPOINT": "https://example.openai.azure.com",
        "AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000",
        "AZURE_RESOURCE_GROUP": "group",
        "AZURE_OPENAI_ACCOUNT": "account",
    }
    assert load_settings(ROOT / "conf" / name, environment=variables).model == "gpt-4.1-mini-2025-04-14"


def test_the_configurations_of_the_readme_are_valid_and_short(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    first, azure = blocks
    path = tmp_path / "finelake.yml"
    path.write_text(first, encoding="utf-8")
    assert load_settings(path).source.columns.user_id == "customer"
    path.write_text(first + azure, encoding="utf-8")
    assert load_settings(path).service.account == "RESOURCE"
    assert len([line for line in first.splitlines() if not line.startswith("#")]) < 20


def test_an_unforeseen_error_shows_its_kind_and_place_but_not_its_text() -> None:
    program = (
        "import sys; from finelake.cli.failures import explained_exit\n"
        "with explained_exit():\n"
        "    raise ZeroDivisionError('my card is 4111')\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "ZeroDivisionError at <string>, line 3" in told.stderr
    assert "4111" not in told.stderr
    traced = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "FINELAKE_TRACE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4111" in traced.stderr


def test_the_service_needs_a_key(tmp_path: Path) -> None:
    ended = finelake("emulator", folder=tmp_path, FINELAKE_EMULATOR_KEY="")
    assert ended.returncode == 2
    assert "FINELAKE_EMULATOR_KEY" in ended.stderr


def test_a_report_needs_a_curation(tmp_path: Path) -> None:
    first = next(re.finditer(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL))
    (tmp_path / "finelake.yml").write_text(first[1], encoding="utf-8")
    ended = finelake("report", folder=tmp_path)
    assert ended.returncode == 3
    assert "manifest.json is not there, so nothing was curated into this folder yet" in ended.stderr
    assert "Run `finelake curate`" in ended.stderr
