"""Check what finelake needs from this machine and from the configured places, and say what to fix.

Each check is a function that returns a `Check`; none raises for what it looks for, and none shows a secret.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from finelake.check import Check
from finelake.config.settings import SecretRef, Service, SessionSettings, Settings, Tokens, is_path
from finelake.databricks.access import in_workspace
from finelake.databricks.doctor import workspace_checks
from finelake.errors import FinelakeError
from finelake.java import find_java, remedy
from finelake.services.connect import connect
from finelake.services.credentials import place_of, resolve
from finelake.session import DATABRICKS_CONNECT, on_platform
from finelake.spark_options import INSTALL_LINE, minor

OLDEST_PYTHON = (3, 11)
SPARK_RANGE = ((4, 0), (4, 2))
_TRAINING_PACKAGES = ("fastapi", "uvicorn", "torch", "transformers", "trl", "peft")
NO_SPARK = (
    "not on this machine, and not needed to deploy: the tables are in a workspace, whose jobs read them. Commands that "
    f"read them from here need `{DATABRICKS_CONNECT}` and session.mode: existing"
)
LEAST_FREE_BYTES = 2 * 10**9  # the demo leaves about 0.2 GB, and Spark spills beside it


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Compare Python with the oldest that is supported."""
    said = ".".join(str(part) for part in version)
    if version >= OLDEST_PYTHON:
        return Check("Python", True, said)
    return Check("Python", False, said, "Install Python 3.11 or 3.12 and create the environment with it.")


def check_java(environment: Mapping[str, str] = os.environ) -> Check:
    """Look for a Java that Spark runs on."""
    java = find_java(environment)
    if java is None:
        return Check("Java", False, "no Java 17 or 21", remedy(environment))
    return Check("Java", True, f"{java.version} at {java.home}")


def check_spark(spark: str | None, delta: str | None) -> Check:
    """Compare the installed pyspark and delta-spark versions; None means not installed."""
    if spark is None or delta is None:
        absent = " and ".join(name for name, version in (("pyspark", spark), ("delta-spark", delta)) if version is None)
        return Check("Spark and Delta", False, f"{absent} not installed", f"{INSTALL_LINE}.")
    said = f"pyspark {spark}, delta-spark {delta}"
    oldest, newest = SPARK_RANGE
    if not oldest <= minor(spark) <= newest:
        return Check("Spark and Delta", False, said, f"Spark 4.0 to 4.2 are supported: {INSTALL_LINE}.")
    # Delta 4.0 is compiled for Spark 4.0 alone; later releases have one artifact for each Spark version.
    if minor(delta) < (4, 1) and minor(spark) > (4, 0):
        return Check("Spark and Delta", False, said, f"Delta {delta} runs on Spark 4.0 only: {INSTALL_LINE}.")
    return Check("Spark and Delta", True, said)


def check_tokens(encoding: str, tokens: Tokens) -> Check:
    """Build the token engine of the settings, with its self-check."""
    from finelake.tokens.engine import select_engine

    try:
        engine = select_engine(encoding, tokens.engine)
    except FinelakeError as error:
        return Check("Token engine", False, f"{tokens.engine} for {encoding}", str(error))
    return Check("Token engine", True, f"{engine.name} for {encoding}")


def check_folder(name: str, folder: str) -> Check:
    """Write and remove a file in a local folder, or in the nearest parent that exists."""
    if "://" in folder:
        return Check(name, True, f"{folder} is remote: the first write will tell")
    existing = _nearest(Path(folder).expanduser().absolute())
    probe = existing / f".finelake-doctor-{os.getpid()}"
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Check(name, False, f"{existing}: {reason}", f"Give yourself write permission on {existing}.")
    return Check(name, True, f"{existing} can be written")


def check_tables(location: str) -> Check:
    """Check the folder of finelake's tables; a schema's permissions show at the first write."""
    if is_path(location):
        return check_folder("Tables", location)
    return Check("Tables", True, f"schema {location}: the first write will tell")


def check_space(folder: str, *, least: int = LEAST_FREE_BYTES) -> Check:
    """Compare the free bytes below a local folder with what a run needs."""
    if "://" in folder:
        return Check("Disk space", True, f"{folder} is remote")
    free = shutil.disk_usage(_nearest(Path(folder).expanduser().absolute())).free
    said = f"{free / 10**9:.1f} GB free"
    if free >= least:
        return Check("Disk space", True, said)
    return Check("Disk space", False, said, f"Free {least / 10**9:.0f} GB, or choose another folder.")


def check_secret(setting: str, reference: SecretRef | None, environment: Mapping[str, str] = os.environ) -> Check:
    """Say whether a secret is where the settings point; its value is never shown."""
    if reference is None:
        return Check(setting, True, "not set: Entra ID signs in")
    try:
        resolve(reference, setting=setting, environment=environment)
    except FinelakeError as error:
        return Check(setting, False, "missing", str(error))
    return Check(setting, True, f"found in {place_of(reference)}")


def check_access(
    service: Service, environment: Mapping[str, str] = os.environ, *, elsewhere: bool = False
) -> list[Check]:
    """Check the secrets of a service, or the packages that train on this machine; `elsewhere` they may be missing."""
    if service.kind != "huggingface":
        return [
            check_secret("service.api_key", service.api_key, environment),
            check_secret("service.resource_manager_token", service.resource_manager_token, environment),
        ]
    absent = [name for name in _TRAINING_PACKAGES if _version(name) is None]
    if absent and elsewhere:
        return [Check("Training", True, f"not on this machine ({', '.join(absent)} not installed): a cluster trains")]
    if absent:
        return [Check("Training", False, f"{', '.join(absent)} not installed", "pip install 'finelake[emulator,hf]'.")]
    return [Check("Training", True, ", ".join(f"{name} {_version(name)}" for name in _TRAINING_PACKAGES))]


def check_endpoint(service: Service) -> Check:
    """Ask the configured service for one page of its files, over HTTP."""
    place = service.endpoint or service.kind
    try:
        with connect(service) as service_client:
            service_client.greet()
    except FinelakeError as error:
        return Check("Endpoint", False, f"{place} does not answer as it should", str(error))
    return Check("Endpoint", True, f"{place} answers")


def check_machine(
    session: SessionSettings, environment: Mapping[str, str] = os.environ, *, elsewhere: bool = False
) -> list[Check]:
    """Check Python and, where a local session will be started, Java, Spark and Delta; `elsewhere` none will be."""
    checks = [check_python()]
    remote = session.mode == "connect" and (session.remote or "local").startswith("sc://")
    if remote or session.mode == "existing" or on_platform(environment):
        return checks
    if elsewhere:
        return [*checks, Check("Spark and Delta", True, NO_SPARK)]
    return [*checks, check_java(environment), check_spark(_version("pyspark"), _version("delta-spark"))]


def runs_elsewhere(settings: Settings, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this machine only deploys and asks: the tables are in a workspace, and no Spark is installed here.

    A local session could not read them, so that its absence is no defect. A mode other than `auto`, or a catalog of
    Spark's own in `session.options`, asks for a session of this machine.
    """
    session = settings.session
    own = any(option.startswith("spark.sql.catalog.") for option in session.options)
    if session.mode != "auto" or own or on_platform(environment) or _version("pyspark") is not None:
        return False
    return in_workspace(settings)


def run_checks(settings: Settings, *, encoding: str, environment: Mapping[str, str] = os.environ) -> list[Check]:
    """Run every check; `encoding` is that of the configured model."""
    service, elsewhere = settings.service, runs_elsewhere(settings, environment)
    checks = [
        *check_machine(settings.session, environment, elsewhere=elsewhere),
        check_tables(settings.tables.location),
        check_folder("Output", str(settings.output.path)),
        check_space(str(settings.output.path)),
        *check_access(service, environment, elsewhere=elsewhere),
        *workspace_checks(settings),
    ]
    if elsewhere and service.kind == "huggingface":
        return checks  # it counts tokens and answers where it trains: asking it would start it here
    return [*checks, check_tokens(encoding, settings.tokens), check_endpoint(service)]


def _nearest(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
