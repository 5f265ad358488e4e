"""Finding Java with real scripts in place of JVMs, and naming the package that is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finelake import java

SOURCE = Path(java.__file__)


def make_jvm(home: Path, version: str, *, status: int = 0) -> Path:
    """Write a script that answers as `java -version` of that version does."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\nexit {status}\n")
    executable.chmod(0o755)
    return home


def make_tool(folder: Path, name: str, body: str = "exit 0") -> None:
    """Write an executable script named like a package manager."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(("text", "feature"), [("17.0.15", 17), ("21", 21), ("1.8.0_402", 8), ("25.0.1", 25)])
def test_the_version_is_read_by_running_it(tmp_path: Path, text: str, feature: int) -> None:
    home = make_jvm(tmp_path / "jvm", text)
    assert java.probe(home) == java.Java(home=home, version=feature)


def test_what_does_not_run_is_no_java(tmp_path: Path) -> None:
    assert java.probe(tmp_path) is None
    assert java.probe(make_jvm(tmp_path / "broken", "17.0.1", status=1)) is None


def test_java_home_wins_over_the_path_and_the_folders(tmp_path: Path) -> None:
    chosen, other = make_jvm(tmp_path / "a", "21.0.2"), make_jvm(tmp_path / "b", "17.0.2")
    environment = {"JAVA_HOME": str(chosen), "PATH": str(other / "bin")}
    found = java.find_java(environment, folders=(f"{tmp_path}/*",))
    assert found == java.Java(home=chosen, version=21)


def test_an_unsupported_java_home_is_passed_over(tmp_path: Path) -> None:
    new, old = make_jvm(tmp_path / "a", "25"), make_jvm(tmp_path / "jvms" / "seventeen", "17.0.9")
    environment = {"JAVA_HOME": str(new), "PATH": str(new / "bin")}
    found = java.find_java(environment, folders=(f"{tmp_path}/jvms/*",))
    assert found == java.Java(home=old, version=17)


def test_a_link_on_the_path_leads_to_its_home(tmp_path: Path) -> None:
    home = make_jvm(tmp_path / "jvm", "17.0.2")
    links = tmp_path / "links"
    links.mkdir()
    (links / "java").symlink_to(home / "bin" / "java")
    found = java.find_java({"PATH": str(links)}, folders=())
    assert found == java.Java(home=home, version=17)


def test_folders_below_the_home_folder_are_searched(tmp_path: Path) -> None:
    home = make_jvm(tmp_path / ".sdkman" / "candidates" / "java" / "21.0.5-tem", "21.0.5")
    found = java.find_java({"HOME": str(tmp_path), "PATH": ""}, folders=("~/.sdkman/candidates/java/*",))
    assert found == java.Java(home=home, version=21)


def test_nothing_supported_gives_none(tmp_path: Path) -> None:
    make_jvm(tmp_path / "old", "11.0.2")
    assert java.find_java({"PATH": ""}, folders=(f"{tmp_path}/*",)) is None


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("apt-get", "sudo apt-get install -y --no-install-recommends openjdk-17-jre-headless"),
        ("dnf", "sudo dnf install -y java-17-openjdk-headless"),
        ("apk", "sudo apk add openjdk17-jre-headless"),
        ("brew", "'brew install openjdk@17'"),
    ],
)
def test_the_remedy_names_command_and_package(tmp_path: Path, tool: str, expected: str) -> None:
    make_tool(tmp_path, tool)
    message = java.remedy({"PATH": str(tmp_path)})
    assert expected in message
    assert "\n" not in message


def test_the_remedy_without_a_package_manager_names_java_home(tmp_path: Path) -> None:
    assert "JAVA_HOME" in java.remedy({"PATH": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs packages")
def test_root_installs_the_second_package_where_the_first_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    make_tool(tmp_path / "bin", "apt-get", f'echo "$@" >> {calls}; case "$*" in *openjdk-17*) exit 100;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert java.install_java(os.environ)
    lines = calls.read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["update", "openjdk-17-jre-headless", "openjdk-21-jre-headless"]


def test_nothing_is_installed_where_no_package_manager_is(tmp_path: Path) -> None:
    assert not java.install_java({"PATH": str(tmp_path)})


def test_the_source_runs_as_a_script_without_the_package(tmp_path: Path) -> None:
    home = make_jvm(tmp_path / "jvm", "21.0.1")
    environment = {"JAVA_HOME": str(home), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-I", str(SOURCE), "--ensure"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(home), "")
