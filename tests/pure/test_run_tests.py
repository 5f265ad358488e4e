"""The suites of `make test`: all run to their end, their output is shown, and one failure is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
import run_tests
from run_tests import ROOT, SUITES, Suite

APART = {"hf", "cluster"}
"""Folders of tests with a make target of their own."""


def suite_of(folder: Path, name: str, body: str) -> Suite:
    file = folder / f"test_{name}.py"
    file.write_text(f"def test_{name}():\n    {body}\n", encoding="utf-8")
    return Suite(name, "classic", (str(file),))


def test_a_failure_in_one_suite_stops_nothing_and_is_the_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_tests, "LOGS", tmp_path / "logs")
    bodies = {"wrong": "assert 0", "right": "pass", "other": "pass"}
    wrong, right, other = (suite_of(tmp_path, name, body) for name, body in bodies.items())
    monkeypatch.setattr(run_tests, "SUITES", (wrong, right, other))
    assert run_tests.main() == 1
    said = capsys.readouterr().out
    assert "wrong: FAILED (pytest's exit status 1)" in said
    assert "right: passed" in said
    assert "other: passed" in said
    assert "1 failed" in said
    monkeypatch.setattr(run_tests, "SUITES", (right, other))
    assert run_tests.main() == 0


def test_every_folder_of_tests_is_in_a_suite() -> None:
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/*/**/test_*.py")}
    arguments = [argument for suite in SUITES for argument in suite.tests]
    left_out = {argument.rpartition("/")[2] for argument in arguments if argument.startswith("--ignore=")}
    assert "tests" in arguments
    assert left_out <= folders
    assert left_out - APART == {"spark"}
    modes = {suite.session for suite in SUITES if suite.tests == ("tests/spark",)}
    assert modes == {"classic", "connect"}
