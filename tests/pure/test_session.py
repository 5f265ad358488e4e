"""What can be known about a session without starting one: its options, Delta's jars, and refusals."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from finelake import session, spark_options
from finelake.config.settings import SessionSettings
from finelake.errors import EnvironmentProblem

START = """
from finelake.config.settings import SessionSettings
from finelake.errors import EnvironmentProblem
from finelake.session import spark_session
try:
    spark_session(SessionSettings(mode="local", cores=1, memory="1g"), app_name="refused")
except EnvironmentProblem as problem:
    print(problem)
"""


EXISTING = (
    START.replace('mode="local", cores=1, memory="1g"', 'mode="existing"')
    .replace("    spark_session", "    print(spark_session")
    .replace('app_name="refused")', 'app_name="laptop").version)')
)
# Stands for databricks-connect, which cannot be installed beside pyspark: what is called, and what it raises.
NAMESPACE = '__path__ = __import__("pkgutil").extend_path(__path__, __name__)\n'
DATABRICKS_SESSION = """
import os
class Session:
    version = "4.0.0"
class Builder:
    def getOrCreate(self):
        if os.environ.get("DATABRICKS_SERVERLESS_COMPUTE_ID") == "auto":
            return Session()
        raise Exception("Cluster id or serverless are required; token=dapi-this-must-never-be-shown")
class DatabricksSession:
    builder = Builder()
"""


def existing(path: Path, **variables: str) -> str:
    """Ask for the session that exists, in a process that has none, and give what is said."""
    done = subprocess.run(
        [sys.executable, "-c", EXISTING],
        env={**os.environ, "PYTHONPATH": str(path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def databricks_connect(tmp_path: Path) -> Path:
    """A folder on the path that holds what stands for databricks-connect."""
    package = tmp_path / "databricks"
    (package / "connect").mkdir(parents=True)
    (package / "__init__.py").write_text(NAMESPACE, encoding="utf-8")
    (package / "connect" / "__init__.py").write_text(DATABRICKS_SESSION, encoding="utf-8")
    return tmp_path


def test_without_a_session_and_without_databricks_connect_it_says_what_to_do(tmp_path: Path) -> None:
    said = existing(tmp_path)
    assert "session.mode is 'existing', but no Spark session is active here" in said
    assert "pip install 'databricks-connect>=17.3'` in an environment of Python 3.12 without pyspark" in said


def test_the_session_of_databricks_connect_is_taken(databricks_connect: Path) -> None:
    assert existing(databricks_connect, DATABRICKS_SERVERLESS_COMPUTE_ID="auto") == "4.0.0"


def test_where_databricks_connect_gives_none_sign_in_and_compute_are_named(databricks_connect: Path) -> None:
    said = existing(databricks_connect)
    assert "Databricks Connect gives no session (Exception). Sign in (`databricks auth login`" in said
    assert "DATABRICKS_CLUSTER_ID, or DATABRICKS_SERVERLESS_COMPUTE_ID=auto" in said
    assert "dapi-" not in said


@pytest.mark.parametrize(
    ("spark", "delta", "artifact"),
    [
        ("4.0.1", "4.0.1", "delta-spark_2.13"),
        ("4.0.5", "4.4.1", "delta-spark_4.0_2.13"),
        ("4.1.0", "4.1.0", "delta-spark_4.1_2.13"),
        ("4.2.0", "4.4.1", "delta-spark_4.2_2.13"),
    ],
)
def test_the_artifact_carries_the_spark_version_from_delta_4_1(spark: str, delta: str, artifact: str) -> None:
    assert spark_options.delta_artifact(spark=spark, delta=delta) == artifact


def find(folder: Path) -> tuple[Path, ...] | None:
    """Look for the jars of Delta 4.0.1 below a folder."""
    return spark_options.find_delta_jars(
        artifact="delta-spark_2.13",
        delta="4.0.1",
        folders=spark_options.jar_folders(folder, folder / "spark"),
        repository=folder / ".m2" / "repository",
    )


@pytest.mark.parametrize(
    "names",
    [
        (".ivy2.5.2/jars/io.delta_delta-spark_2.13-4.0.1.jar", ".ivy2.5.2/jars/io.delta_delta-storage-4.0.1.jar"),
        ("spark/jars/delta-spark_2.13-4.0.1.jar", "spark/jars/delta-storage-4.0.1.jar"),
        (
            ".m2/repository/io/delta/delta-spark_2.13/4.0.1/delta-spark_2.13-4.0.1.jar",
            ".m2/repository/io/delta/delta-storage/4.0.1/delta-storage-4.0.1.jar",
        ),
    ],
)
def test_jars_on_this_machine_are_found_only_when_complete(tmp_path: Path, names: tuple[str, str]) -> None:
    assert find(tmp_path) is None
    jars = tuple(tmp_path / name for name in names)
    for jar in jars:
        assert find(tmp_path) is None
        jar.parent.mkdir(parents=True, exist_ok=True)
        jar.touch()
    assert find(tmp_path) == jars


def test_later_deltas_with_more_jars_are_left_to_ivy(tmp_path: Path) -> None:
    for name in ("delta-spark_4.2_2.13", "delta-storage"):
        (tmp_path / f"io.delta_{name}-4.4.0.jar").touch()
    found = spark_options.find_delta_jars(
        artifact="delta-spark_4.2_2.13", delta="4.4.0", folders=(tmp_path,), repository=tmp_path
    )
    assert found is None


def test_jars_of_another_version_are_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / ".ivy2" / "jars"
    folder.mkdir(parents=True)
    for name in ("delta-spark_2.13", "delta-storage"):
        (folder / f"io.delta_{name}-4.0.0.jar").touch()
    assert find(tmp_path) is None


def test_the_settings_reach_the_options(tmp_path: Path) -> None:
    settings = SessionSettings(memory="3g", shuffle_partitions=5, warehouse=str(tmp_path))
    options = spark_options.local_options(settings, cores=2)
    assert options["spark.driver.memory"] == "3g"
    assert options["spark.sql.shuffle.partitions"] == "5"
    assert options["spark.sql.warehouse.dir"] == str(tmp_path)
    assert spark_options.local_options(SessionSettings(), cores=3)["spark.sql.shuffle.partitions"] == "6"


def test_two_cores_collect_serially() -> None:
    assert "-XX:+UseSerialGC" in spark_options.jvm_options(cores=2).split()
    assert "-XX:+UseSerialGC" not in spark_options.jvm_options(cores=8)


def test_a_missing_distribution_names_the_pip_line() -> None:
    with pytest.raises(EnvironmentProblem, match=r"pip install 'finelake\[local\]'"):
        spark_options.installed_version("no-such-distribution")


def test_the_log_configuration_is_shipped() -> None:
    assert spark_options.log_configuration().is_file()


def test_databricks_is_recognised() -> None:
    assert session.on_platform({"DATABRICKS_RUNTIME_VERSION": "17.3"})
    assert session.on_platform({"IS_SERVERLESS": "TRUE"})
    assert not session.on_platform({})


def test_what_spark_submit_started_is_recognised() -> None:
    assert session.submitted({"PYSPARK_GATEWAY_PORT": "40001"})
    assert not session.submitted({})


@pytest.mark.parametrize("remote", [None, "local[2]", "sc://host:15002"])
def test_a_cluster_must_be_named(remote: str | None) -> None:
    with pytest.raises(ValueError, match="remote must name its manager"):
        SessionSettings(mode="cluster", remote=remote)


def test_a_cluster_gets_delta_and_utc_but_nothing_of_this_machine() -> None:
    options = spark_options.cluster_options(SessionSettings(memory="3g"), cores=2)
    assert options["spark.sql.session.timeZone"] == "UTC"
    assert options["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
    assert options["spark.driver.memory"] == "3g"
    assert not {"spark.driver.host", "spark.sql.shuffle.partitions", "spark.sql.catalogImplementation"} & set(options)


def test_cores_are_counted_where_none_are_set() -> None:
    assert session.core_count(SessionSettings(cores=3)) == 3
    assert 1 <= session.core_count(SessionSettings()) <= (os.cpu_count() or 1)


def test_a_missing_java_is_an_environment_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_java", lambda: None)
    with pytest.raises(EnvironmentProblem, match="No Java 17 or 21"):
        session.spark_session(SessionSettings(mode="local"), app_name="no-java")


def test_a_connect_server_that_does_not_listen_is_named_without_its_token() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        remote = f"sc://127.0.0.1:{unused.getsockname()[1]}/;token=secret-token"
        with pytest.raises(EnvironmentProblem, match="No Spark Connect server listens") as caught:
            session.spark_session(SessionSettings(mode="connect", remote=remote), app_name="nobody")
    assert "secret-token" not in str(caught.value)


def test_a_wrong_connect_address_says_what_is_expected() -> None:
    with pytest.raises(EnvironmentProblem, match="sc://HOST:PORT"):
        session.spark_session(SessionSettings(mode="connect", remote="http://host"), app_name="wrong")


@pytest.mark.spark
def test_jars_that_cannot_be_downloaded_are_one_clear_problem(tmp_path: Path) -> None:
    nowhere = "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9"
    own = {name: value for name, value in os.environ.items() if "SPARK" not in name}
    environment = own | {"HOME": str(tmp_path), "JAVA_TOOL_OPTIONS": f"-Duser.home={tmp_path} {nowhere}"}
    done = subprocess.run([sys.executable, "-c", START], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Delta's jars are not on this machine")
    # From Spark 4.1 on its line is part of the name.
    line = ".".join(version("pyspark").split(".")[:2])
    name = "delta-spark_2.13" if line == "4.0" else f"delta-spark_{line}_2.13"
    assert f"io.delta#{name};" in done.stdout
    assert done.stderr == ""
