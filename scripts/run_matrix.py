"""Run the tests on every Spark line that finelake supports, each with its Delta version, in an environment of its own.

    python scripts/run_matrix.py [--lines 4.1,4.2] [--modes classic,connect] [--tests core|all|PATH ...]

`core` are the Spark tests of the curation itself: sessions, mapping, order of rows, bytes, balance, near duplicates,
splits, tables and published files; `all` is the whole of tests/spark. tests/pure runs once a line. Each environment
takes about a gigabyte of disk. A table is printed, and every outcome is in the JSON file as soon as it is known; the
output of a failed run is beside it. Exit status: 0 all passed, 1 a test failed, 2 an environment could not be made.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {"4.0": "local", "4.1": "spark41", "4.2": "spark42"}
TEST_EXTRAS = "emulator,report,databricks,mlflow,topics,docs,dev"
MODES = ("classic", "connect")
CORE = tuple(
    f"tests/spark/test_{name}.py"
    for name in (
        "session",
        "mapping",
        "layouts",
        "ingest",
        "bad_rows",
        "bytes",
        "balance",
        "near_duplicates",
        "near_in_curation",
        "splits",
        "published_files",
        "jobs",
    )
)
VERSIONS = "import importlib.metadata as m; print(m.version('pyspark'), m.version('delta-spark'))"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run of pytest gave on one Spark line; `mode` is `pure`, `classic` or `connect`."""

    line: str
    spark: str
    delta: str
    mode: str
    tests: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    failures: tuple[str, ...]


def environment_of(line: str, folder: Path) -> Path:
    """Make the environment of a line, unless it is there, and give its interpreter."""
    python = folder / line / "bin" / "python"
    stamp = folder / line / ".installed"
    if not stamp.exists():
        extras = f"{EXTRAS[line]},{TEST_EXTRAS}"
        command = [sys.executable, str(ROOT / "scripts" / "make_venv.py"), "--folder", str(folder / line)]
        subprocess.run([*command, "--extras", extras], check=True)
        stamp.touch()
    return python


def counted(report: Path) -> tuple[int, int, int, tuple[str, ...]]:
    """Read passed, failed, skipped and the names of failures from a JUnit file; a run without one is a failure."""
    if not report.exists():
        return 0, 1, 0, ("pytest wrote no report",)
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    cases = [case for suite in suites for case in suite.iter("testcase")]
    failures = tuple(
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    )
    skipped = sum(case.find("skipped") is not None for case in cases)
    return len(cases) - len(failures) - skipped, len(failures), skipped, failures


def run(line: str, mode: str, *, python: Path, tests: Sequence[str], label: str, folder: Path) -> Outcome:
    """Run pytest once and read what it reports."""
    report, log = folder / f"{line}-{mode}.xml", folder / f"{line}-{mode}.log"
    report.unlink(missing_ok=True)
    versions = subprocess.run([str(python), "-c", VERSIONS], check=True, capture_output=True, text=True).stdout.split()
    chosen = {"FINELAKE_TEST_SESSION": mode} if mode in MODES else {}
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *tests]
    start = time.monotonic()
    with log.open("wb") as stream:
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, **chosen}, stdout=stream, stderr=subprocess.STDOUT, check=False
        )
    seconds = round(time.monotonic() - start, 1)
    passed, failed, skipped, failures = counted(report)
    return Outcome(
        line=line,
        spark=versions[0],
        delta=versions[1],
        mode=mode,
        tests=label,
        passed=passed,
        failed=failed,
        skipped=skipped,
        seconds=seconds,
        failures=failures,
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Give the outcomes as text, one line each, failures below theirs."""
    lines = [f"{'spark':<8} {'delta':<7} {'mode':<8} {'tests':<10} {'passed':>6} {'failed':>6} {'skipped':>7} {'s':>6}"]
    for each in outcomes:
        counts = f"{each.passed:>6} {each.failed:>6} {each.skipped:>7} {each.seconds:>6.0f}"
        lines.append(f"{each.spark:<8} {each.delta:<7} {each.mode:<8} {each.tests:<10} {counts}")
        lines += [f"  {name}" for name in each.failures]
    return "\n".join(lines)


def matrix(options: argparse.Namespace) -> Iterator[Outcome]:
    """Run every chosen line and mode, one after the other."""
    tests = {"core": [*CORE], "all": ["tests/spark"]}.get(options.tests[0], options.tests)
    label = options.tests[0] if options.tests[0] in ("core", "all") else "chosen"
    for line in options.lines:
        python = environment_of(line, options.folder)
        if options.pure:
            yield run(line, "pure", python=python, tests=["tests/pure"], label="pure", folder=options.folder)
        for mode in options.modes:
            yield run(line, mode, python=python, tests=tests, label=label, folder=options.folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix and print its table."""
    parser = argparse.ArgumentParser(description="Run the tests on every supported Spark line.")
    parser.add_argument("--lines", type=lambda text: text.split(","), default=list(EXTRAS))
    parser.add_argument("--modes", type=lambda text: text.split(","), default=list(MODES))
    parser.add_argument("--tests", nargs="+", default=["core"], metavar="core|all|PATH")
    parser.add_argument("--no-pure", dest="pure", action="store_false", help="leave tests/pure out")
    parser.add_argument("--folder", type=Path, default=ROOT / ".matrix", help="environments, logs and matrix.json")
    options = parser.parse_args(arguments)
    unknown = {*options.lines} - {*EXTRAS} | {*options.modes} - {*MODES}
    if unknown:
        parser.error(
            f"not known: {', '.join(sorted(unknown))}; lines are {', '.join(EXTRAS)}, modes {', '.join(MODES)}"
        )
    options.folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    try:
        for outcome in matrix(options):
            outcomes.append(outcome)
            content = json.dumps([asdict(each) for each in outcomes], indent=2)
            (options.folder / "matrix.json").write_text(content + "\n", encoding="utf-8")
            sys.stdout.write(table([outcome]).split("\n", 1)[1] + "\n")
            sys.stdout.flush()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"An environment could not be made (status {error.returncode}); the lines above say why.\n")
        return 2
    sys.stdout.write(table(outcomes) + "\n")
    return 1 if any(each.failed for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
