"""The matrix: what it reads of pytest's report, what it prints, and that its environments are those of setup.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import run_matrix

REPORT = """<testsuites><testsuite tests="4">
<testcase classname="tests.spark.test_bytes" name="test_a"/>
<testcase classname="tests.spark.test_bytes" name="test_b"><failure message="no"/></testcase>
<testcase classname="tests.spark.test_jobs" name="test_c"><error message="no"/></testcase>
<testcase classname="tests.spark.test_jobs" name="test_d"><skipped message="absent"/></testcase>
</testsuite></testsuites>"""


def outcome(failed: int) -> run_matrix.Outcome:
    return run_matrix.Outcome(
        line="4.2",
        spark="4.2.0",
        delta="4.4.0",
        mode="connect",
        tests="core",
        passed=3,
        failed=failed,
        skipped=1,
        seconds=61.4,
        failures=("tests.spark.test_bytes::test_b",) * failed,
    )


def test_failures_and_errors_are_counted_and_named(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")
    failures = ("tests.spark.test_bytes::test_b", "tests.spark.test_jobs::test_c")
    assert run_matrix.counted(report) == (1, 2, 1, failures)


def test_a_run_without_a_report_is_a_failure(tmp_path: Path) -> None:
    assert run_matrix.counted(tmp_path / "none.xml")[1] == 1


def test_the_table_names_versions_and_failures() -> None:
    lines = run_matrix.table([outcome(0), outcome(1)]).splitlines()
    assert lines[1].split() == ["4.2.0", "4.4.0", "connect", "core", "3", "0", "1", "61"]
    assert lines[3].strip() == "tests.spark.test_bytes::test_b"


def test_every_line_is_an_extra_and_every_core_test_is_there() -> None:
    setup = (run_matrix.ROOT / "setup.py").read_text(encoding="utf-8")
    for line, extra in run_matrix.EXTRAS.items():
        assert f'"{extra}": ["delta-spark' in setup, line
    assert not [test for test in run_matrix.CORE if not (run_matrix.ROOT / test).is_file()]


def test_an_unknown_line_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_matrix.main(["--lines", "3.5", "--folder", str(tmp_path)])
    assert caught.value.code == 2
    assert "not known: 3.5" in capsys.readouterr().err
