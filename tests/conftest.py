"""Fixtures for all tests: one Spark session a run (classic or Connect), Delta folders, and the real data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from finelake.config.settings import SessionSettings
from finelake.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parent.parent
SESSION_KINDS: dict[str, Literal["local", "connect"]] = {"classic": "local", "connect": "connect"}


def session_kind() -> str:
    """Return the kind of session that FINELAKE_TEST_SESSION asks for: classic (default) or connect."""
    kind = os.environ.get("FINELAKE_TEST_SESSION", "classic")
    if kind not in SESSION_KINDS:
        raise pytest.UsageError(f"FINELAKE_TEST_SESSION is {kind!r}; allowed: {', '.join(SESSION_KINDS)}")
    return kind


def pytest_report_header() -> str:
    """Show in the header which kind of Spark session the run uses."""
    return f"spark session: {session_kind()}"


@pytest.fixture(scope="session")
def user_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that the driver and Spark's Python workers import from, for modules that a test writes."""
    folder = tmp_path_factory.mktemp("user_modules")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), before]))
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, user_modules: Path) -> Iterator[SparkSession]:
    """The run's only Spark session: local, with Delta, started by the package's own code."""
    assert str(user_modules) in os.environ["PYTHONPATH"]  # workers take it over when the session starts
    settings = SessionSettings(
        mode=SESSION_KINDS[session_kind()],
        cores=2,
        memory="3g",
        shuffle_partitions=2,
        warehouse=str(tmp_path_factory.mktemp("warehouse")),
    )
    # No test runs long enough to win back what the optimising compiler costs.
    options = ["-XX:TieredStopAtLevel=1"]
    if session_kind() == "connect":
        # Small data need no generated code either: interpreted plans take two thirds of the time, and are tested so.
        options += ["-Dspark.sql.codegen.wholeStage=false", "-Dspark.sql.codegen.factoryMode=NO_CODEGEN"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", " ".join(options))
        session = spark_session(settings, app_name="finelake-tests")
    yield session
    session.stop()


@pytest.fixture
def delta_folder(tmp_path: Path) -> str:
    """An empty folder for the Delta tables of one test."""
    folder = tmp_path / "tables"
    folder.mkdir()
    return str(folder)


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Give the path of a real data file by name; the test is skipped where the data is not beside the project."""
    folder = ROOT.parent / "shared" / "data"

    def locate(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"the real data is absent: no {name} in ../shared/data")
        return path

    return locate
