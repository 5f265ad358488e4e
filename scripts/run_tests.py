"""Run every test: three suites side by side, and each one's output as a whole when it has ended.

    python scripts/run_tests.py

The Spark tests run in classic mode, in Connect mode, and beside them all tests that need no session of their own. Also
on two cores this takes less time than one after the other, since much of it waits for a service or for Delta's commits;
it needs about 12 GB of memory. What a suite prints is kept in `.finelake/tests/` too. Exit status: 0 when all passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".finelake" / "tests"


@dataclass(frozen=True)
class Suite:
    """Tests that one pytest runs, in one kind of session."""

    name: str
    session: str
    tests: tuple[str, ...]


# These have a session of the run's own, or a make target.
_ELSEWHERE = tuple(f"--ignore=tests/{name}" for name in ("spark", "hf", "cluster"))
SUITES = (
    Suite("spark, classic", "classic", ("tests/spark",)),
    Suite("spark, connect", "connect", ("tests/spark",)),
    Suite("pure, http, demo", "classic", ("tests", *_ELSEWHERE)),
)

_printing = Lock()


def run_suite(suite: Suite) -> bool:
    """Run one suite and print what it said; True when all its tests passed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{suite.name.replace(', ', '-')}.log"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--durations=15", *suite.tests]
    _say(f"{suite.name}: started, see {log}\n")
    began = time.monotonic()
    with log.open("wb") as stream:
        status = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "FINELAKE_TEST_SESSION": suite.session},
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    ended = "passed" if status == 0 else f"FAILED (pytest's exit status {status})"
    said = log.read_text(encoding="utf-8", errors="replace")
    _say(f"{said}\n{suite.name}: {ended} after {time.monotonic() - began:.0f} s\n")
    return status == 0


def main() -> int:
    """Run the suites side by side, all of them to their end whatever comes of the others."""
    with ThreadPoolExecutor(len(SUITES)) as pool:
        passed = list(pool.map(run_suite, SUITES))
    return 0 if all(passed) else 1


def _say(text: str) -> None:
    with _printing:
        sys.stdout.write(text)
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
