"""The documentation: it builds strictly, its references are those of the code, and its examples hold."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from make_reference import PAGES, configuration_page, errors_page, raised_messages, tables_page

from finelake import errors
from finelake.cli.main import commands
from finelake.config.section import Section
from finelake.config.settings import Settings
from finelake.tables.contracts import CONTRACTS
from support.pages import ROOT, Block, blocks, pages

BASE: dict[str, Any] = {
    "project": "docs",
    "model": "gpt-4.1-mini-2025-04-14",
    "source": {"table": "main.raw.turns", "columns": {"turn_index": "n"}},
}

# Where each command of the pages is run for real; the commands of docs/first-table.md are run as they stand there.
RUN_BY = {
    "shards": "tests/hf/test_shards.py",
    "job": "tests/http/databricks/test_jobs.py",
    "erase": "tests/spark/test_erasure.py",
    "vacuum": "tests/spark/test_erasure.py",
    "ingest": "tests/spark/test_first_table.py",
    "curate": "tests/spark/test_first_table.py",
    "why": "tests/spark/test_first_table.py",
    "report": "tests/spark/test_first_table.py",
    "runs": "tests/spark/test_first_table.py",
    "profile": "tests/spark/test_profile.py",
    "prepare": "tests/spark/test_prepare.py",
    "reproduce": "tests/spark/test_lineage.py",
    "diff": "tests/spark/test_lineage.py",
    "doctor": "tests/pure/test_doctor.py",
    "demo": "tests/demo/test_demo.py",
    "run": "tests/demo/test_demo.py",
    "train": "tests/http/training/test_whole_run.py",
    "plan": "tests/http/training/test_plan.py",
    "evaluate": "tests/http/evaluation/test_evaluate.py",
    "pause": "tests/http/training/test_control_and_clean.py",
    "resume": "tests/http/training/test_control_and_clean.py",
    "cancel": "tests/http/training/test_control_and_clean.py",
    "clean": "tests/http/training/test_control_and_clean.py",
    "promote": "tests/http/training/test_promotion.py",
    "rollback": "tests/http/training/test_promotion.py",
    "aliases": "tests/http/training/test_promotion.py",
    "emulator": "tests/http/emulator/test_life.py",
}
# Several alternatives in one block, or a part that only a reader fills in.
NOT_SETTINGS = {("docs/methods.md", "service: {kind: azure, api: v1")}


def named(block: Block) -> str:
    return f"{block.page}:{block.line}"


ALL = list(blocks())


def of(language: str) -> list[Block]:
    return [block for block in ALL if block.language == language]


def setting_keys(model: type[Section], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from setting_keys(inner, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def merged(given: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    return base | {
        key: merged(value, base[key]) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in given.items()
    }


@pytest.mark.parametrize("block", of("yaml"), ids=named)
def test_settings_of_the_pages_are_valid(block: Block) -> None:
    if any(block.page == page and block.text.startswith(start) for page, start in NOT_SETTINGS):
        pytest.skip("alternatives beside each other, not a file")
    loaded = yaml.safe_load(block.text)
    if not set(loaded) <= set(Settings.model_fields):
        pytest.skip("a file of another program")
    needed = {"topics": {"enabled": True}} if "mixing" in loaded else {}
    Settings.model_validate(merged(loaded, merged(needed, BASE)))


def test_a_wrong_setting_in_a_page_would_be_found() -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        Settings.model_validate(merged({"splits": {"validaton": 0.1}}, BASE))


@pytest.mark.parametrize("block", [block for block in ALL if block.commands("finelake")], ids=named)
def test_commands_of_the_pages_parse_and_are_run_by_a_test(block: Block) -> None:
    for line in block.commands("finelake"):
        name, *arguments = shlex.split(line)[1:]
        command = commands.commands.get(name)
        assert command is not None, line
        command.make_context(name, arguments, parent=click.Context(commands))
        assert (ROOT / RUN_BY[name]).is_file(), line


def test_a_wrong_option_in_a_page_would_be_found() -> None:
    with pytest.raises(click.UsageError):
        commands.commands["train"].make_context("train", ["--overtake"], parent=click.Context(commands))


@pytest.mark.parametrize("block", [block for block in ALL if block.commands("make")], ids=named)
def test_make_targets_of_the_pages_exist(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {line.split()[1] for line in block.commands("make")} <= targets


@pytest.mark.parametrize("block", of("python"), ids=named)
def test_python_of_the_pages_compiles(block: Block) -> None:
    ast.parse(block.text)


def test_every_setting_is_in_the_reference() -> None:
    page = configuration_page()
    assert not [key for key in setting_keys(Settings) if f"`{key}`" not in page]


def test_every_table_and_column_is_in_the_reference() -> None:
    page = tables_page()
    for name, model in CONTRACTS.items():
        section = page.split(f"\n## `{name}`\n", 1)[1].split("\n## ", 1)[0]
        assert not [column for column in model.to_schema().columns if f"| `{column}` |" not in section]


def test_every_error_class_and_exit_code_is_in_the_reference() -> None:
    page = errors_page()
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.FinelakeError):
            assert f"\n## {name}\n\nExit code {kind.exit_code}. " in page
            assert kind.exit_code == 1 or f"\n| {kind.exit_code} | [{name}](" in page
    assert "is empty at version ..." in page


def test_the_readme_lists_every_exit_code() -> None:
    listed = (ROOT / "README.md").read_text(encoding="utf-8").split("## Exit codes", 1)[1].split("\n## ", 1)[0]
    codes = set(re.findall(r"^\| (\d+) \|", errors_page(), re.MULTILINE)) - {"130"}
    assert not [code for code in codes if not re.search(rf"(?<!\d){code}\s", listed)]


def test_messages_are_found_in_every_class_that_is_raised_by_name() -> None:
    found = raised_messages({"ConfigError", "InputError"})
    assert min(len(messages) for messages in found.values()) > 20


def build(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(folder / "mkdocs.yml")]
    return subprocess.run([*command, "--site-dir", str(target)], capture_output=True, text=True, check=False)


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    done = build(ROOT, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    for name in PAGES:
        assert (tmp_path / "site" / "reference" / name / "index.html").is_file()


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    for name in ("docs", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs" / "runs.md").open("a", encoding="utf-8") as stream:
        stream.write("\nSee [nowhere](nowhere.md).\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert {path.relative_to(ROOT / "docs").as_posix() for path in pages()[1:]} <= listed
