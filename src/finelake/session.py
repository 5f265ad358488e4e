"""Get a Spark session: what the platform gives, a tuned local one, one on a cluster, or a Spark Connect one."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit

from finelake.config.session import PLATFORM_VARIABLES
from finelake.config.settings import SessionSettings
from finelake.errors import EnvironmentProblem
from finelake.java import find_java, remedy
from finelake.spark_options import INSTALL_LINE, cluster_options, local_options

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_LOCAL = re.compile(r"\Alocal(?:\[(\d+|\*)\])?\Z")
_NOT_FOUND = re.compile(r"^\s*:: (\S+#\S+;\S+): not found", re.MULTILINE)
CONNECT_PORT = 15002  # Spark Connect's default
LISTENER_TIMEOUT_SECONDS = 10.0
DATABRICKS_CONNECT = "pip install 'databricks-connect>=17.3'"
_NO_SESSION = (
    "session.mode is 'existing', but no Spark session is active here, and Databricks Connect, which gives one of a "
    f"workspace, is not installed: start one first, use mode 'auto', or run `{DATABRICKS_CONNECT}` in an environment "
    "of Python 3.12 without pyspark."
)
_SUBMITTED_VARIABLE = "PYSPARK_GATEWAY_PORT"  # set by spark-submit for the Python program that it starts


def spark_session(settings: SessionSettings, *, app_name: str) -> SparkSession:
    """Return a session as `settings.mode` asks; `auto` takes an active, platform or submitted one, else a local one.

    `existing` takes an active one, else that of Databricks Connect. Raises EnvironmentProblem where pyspark, Java or
    Delta's jars are missing, a Connect server cannot be reached, or `existing` finds no session.
    """
    mode = settings.mode
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise EnvironmentProblem(
            _NO_SESSION
            if mode == "existing"
            else f"pyspark is not installed, and this is not a runtime that brings it: {INSTALL_LINE}."
        ) from error
    _keep_rows_out_of_logs()
    active = SparkSession.getActiveSession()
    if active is not None and mode in ("existing", "auto"):
        return active
    if mode == "existing":
        return _databricks_session()
    if mode == "auto" and (on_platform(os.environ) or submitted(os.environ)):
        return SparkSession.builder.appName(app_name).getOrCreate()
    if mode == "cluster":
        return _start_on_cluster(settings, app_name=app_name)
    if mode == "connect":
        return _connect_session(settings, app_name=app_name)
    return _start_local(settings, app_name=app_name, extra={})


def _databricks_session() -> SparkSession:
    """Give the session of Databricks Connect; its profile or the environment says who asks, and which compute."""
    try:
        from databricks.connect import DatabricksSession
    except ImportError as error:
        raise EnvironmentProblem(_NO_SESSION) from error
    try:
        spark = DatabricksSession.builder.getOrCreate()
    except Exception as error:
        # The package raises Exception itself where no compute is named; its messages may quote the configuration.
        raise EnvironmentProblem(
            f"session.mode is 'existing', and Databricks Connect gives no session ({type(error).__name__}). Sign in "
            f"(`databricks auth login`; DATABRICKS_CONFIG_PROFILE chooses a profile), and name the compute: cluster_id "
            f"in that profile, DATABRICKS_CLUSTER_ID, or DATABRICKS_SERVERLESS_COMPUTE_ID=auto."
        ) from error
    logger.info("connected to Spark %s by Databricks Connect", spark.version)
    return cast("SparkSession", spark)


def _keep_rows_out_of_logs() -> None:
    """Switch off pyspark's loggers that print every failed query, whose messages may quote a row's values."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


def on_platform(environment: Mapping[str, str]) -> bool:
    """Tell whether a Databricks cluster or serverless environment runs this process."""
    return any(environment.get(name) for name in PLATFORM_VARIABLES)


def submitted(environment: Mapping[str, str]) -> bool:
    """Tell whether spark-submit started this process, and with it decided on master, memory and jars."""
    return bool(environment.get(_SUBMITTED_VARIABLE))


def core_count(settings: SessionSettings) -> int:
    """Return the cores to use: those of the setting, else all that this process may run on."""
    if settings.cores:
        return settings.cores
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _connect_session(settings: SessionSettings, *, app_name: str) -> SparkSession:
    remote = settings.remote or "local"
    local = _LOCAL.match(remote)
    if local is None:
        return _connect_to(remote, app_name=app_name)
    if local.group(1) and local.group(1) != "*":
        settings = settings.model_copy(update={"cores": int(local.group(1))})
    port = free_port()
    os.environ["SPARK_LOCAL_REMOTE"] = "1"
    _start_local(
        settings,
        app_name=app_name,
        extra={
            "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
            "spark.connect.grpc.binding.port": str(port),
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.sql.artifact.isolation.enabled": "true",
            "spark.sql.artifact.isolation.alwaysApplyClassloader": "true",
        },
    )
    return _connect_to(f"sc://127.0.0.1:{port}", app_name=app_name)


def _connect_to(remote: str, *, app_name: str) -> SparkSession:
    try:
        from pyspark.sql.connect.session import SparkSession as RemoteSession
    except ImportError as error:
        raise EnvironmentProblem(
            f"The Spark Connect client lacks a package ({error.name or error}): {INSTALL_LINE}."
        ) from error
    from pyspark.errors import PySparkException

    _require_listener(remote)
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    try:
        spark = RemoteSession.builder.remote(remote).appName(app_name).getOrCreate()
        logger.info("connected to Spark %s", spark.version)
    except PySparkException as error:
        raise EnvironmentProblem(
            f"The Spark Connect server at session.remote {_place(remote)} refuses the session "
            f"({type(error).__name__}): check the address and its token."
        ) from error
    return cast("SparkSession", spark)


def _place(remote: str) -> str:
    """Return host and port of a Connect address, without the parameters that may hold a token."""
    address = urlsplit(remote)
    if address.scheme != "sc" or not address.hostname:
        raise EnvironmentProblem(
            f"session.remote starts with {remote[:5]!r}: expected sc://HOST:PORT, or local[CORES] for a server of "
            "this process's own."
        )
    return f"{address.hostname}:{address.port or CONNECT_PORT}"


def _require_listener(remote: str) -> None:
    """Try the port first: the Connect client would go on retrying a dead address for minutes."""
    host, _, port = _place(remote).rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=LISTENER_TIMEOUT_SECONDS).close()
    except OSError as error:
        raise EnvironmentProblem(
            f"No Spark Connect server listens at session.remote {host}:{port} ({error.strerror or error}): start "
            "it, or correct the address."
        ) from error


def _start_local(settings: SessionSettings, *, app_name: str, extra: Mapping[str, str]) -> SparkSession:
    _find_java()
    for name, value in (
        ("SPARK_LOCAL_IP", "127.0.0.1"),
        ("PYSPARK_PYTHON", sys.executable),
        ("PYSPARK_DRIVER_PYTHON", sys.executable),
    ):
        os.environ.setdefault(name, value)
    cores = core_count(settings)
    options = local_options(settings, cores=cores) | settings.options | dict(extra)
    return _start(f"local[{cores}]", app_name=app_name, options=options)


def _start_on_cluster(settings: SessionSettings, *, app_name: str) -> SparkSession:
    """Start the driver here; executors take PYSPARK_PYTHON, or python3, from their own machine."""
    _find_java()
    options = cluster_options(settings, cores=core_count(settings)) | settings.options
    return _start(str(settings.remote), app_name=app_name, options=options)


def _start(master: str, *, app_name: str, options: Mapping[str, str]) -> SparkSession:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName(app_name)
    for key, value in options.items():
        builder = builder.config(key, value)
    with _captured_stderr() as log:
        try:
            return builder.getOrCreate()
        except (PySparkException, RuntimeError) as error:
            raise EnvironmentProblem(_explain(log)) from error


def _find_java() -> None:
    java = find_java()
    if java is None:
        raise EnvironmentProblem(remedy())
    os.environ["JAVA_HOME"] = str(java.home)


def free_port() -> int:
    """Return a loopback TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _captured_stderr() -> Iterator[IO[bytes]]:
    """Send file descriptor 2 to a temporary file, which the JVM started meanwhile inherits.

    The JVM prints warnings that no log setting reaches, and Ivy its downloads; a failure is explained from them.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log:
        saved = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield log
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


def _explain(log: IO[bytes]) -> str:
    log.seek(0)
    text = log.read().decode("utf-8", errors="replace")
    if "unresolved dependency" in text or "UNRESOLVED DEPENDENCIES" in text:
        wanted = ", ".join(sorted(set(_NOT_FOUND.findall(text)))) or "Delta's jars"
        return (
            f"Delta's jars are not on this machine, and Maven Central did not give {wanted}: connect to the network "
            "once (a proxy goes into JAVA_TOOL_OPTIONS), or put these jars into pyspark's jars folder."
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = next((line for line in lines if "Exception" in line or "Error" in line), lines[-1] if lines else "")
    return f"Spark did not start. The JVM said: {reason[:400] or 'nothing'}. Check session.memory and Java."
