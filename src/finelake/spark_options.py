"""Options of a local Spark session that runs Delta, and the Delta jars that belong to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import metadata, resources
from pathlib import Path

from finelake.config.settings import SessionSettings
from finelake.errors import EnvironmentProblem

SCALA = "2.13"
MORE_JARS = (4, 1)  # the Delta version from which its artifacts are named by Spark version and need further jars

# Ten times HotSpot's thresholds: the optimising compiler (C2) takes only code that is hot for long, since compiling
# the rest costs a short run more than it saves. Measured in CPU seconds on 2 cores (Java 17): start, first write and
# a few small queries 40 -> 35; a write and two aggregations of a million rows 41 -> 33. Without C2 the first falls
# to 28, but long aggregations take a third more.
COMPILER_OPTIONS = (
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
# Concurrent collection takes a core from the work where there are two (53 -> 40 CPU seconds in the first measure).
CORES_FOR_CONCURRENT_COLLECTION = 3
# A long session fills HotSpot's 240 MiB of compiled code, and then the compilers stop for good.
CODE_ROOM = "-XX:ReservedCodeCacheSize=768m"
INSTALL_LINE = "pip install 'finelake[local]'"


def installed_version(distribution: str) -> str:
    """Return the version of an installed distribution; EnvironmentProblem names the pip line where it is absent."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError as error:
        raise EnvironmentProblem(
            f"The package {distribution} is not installed, and a local Spark session needs it: {INSTALL_LINE}."
        ) from error


def minor(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version."""
    major, second, *_ = version.split(".")
    return int(major), int(second)


def delta_artifact(*, spark: str, delta: str) -> str:
    """Return Delta's Maven artifact; from Delta 4.1 its name carries the Spark version (delta/pip_utils.py)."""
    if minor(delta) < MORE_JARS:
        return f"delta-spark_{SCALA}"
    return f"delta-spark_{'.'.join(str(part) for part in minor(spark))}_{SCALA}"


def jar_folders(home: Path, spark_home: Path) -> tuple[Path, ...]:
    """Return the folders that earlier resolutions fill: beside pyspark, and Ivy's flat jar folders."""
    return (spark_home / "jars", *sorted(home.glob(".ivy2*/jars"), reverse=True))


def find_delta_jars(*, artifact: str, delta: str, folders: Iterable[Path], repository: Path) -> tuple[Path, ...] | None:
    """Return Delta's two jars from one folder or a local Maven repository, or None.

    Spark itself ships the third dependency (antlr4-runtime). Delta 4.1 and later depend on more than these two, so
    None is returned for them: Ivy takes its own cache then.
    """
    if minor(delta) >= MORE_JARS:
        return None
    names = (artifact, "delta-storage")
    for folder in folders:
        for prefix in ("io.delta_", ""):
            jars = tuple(folder / f"{prefix}{name}-{delta}.jar" for name in names)
            if all(jar.is_file() for jar in jars):
                return jars
    jars = tuple(repository / "io" / "delta" / name / delta / f"{name}-{delta}.jar" for name in names)
    return jars if all(jar.is_file() for jar in jars) else None


def delta_options() -> dict[str, str]:
    """Return the options that load Delta: jars found on this machine, else coordinates that Spark downloads."""
    import pyspark

    spark, delta = installed_version("pyspark"), installed_version("delta-spark")
    artifact = delta_artifact(spark=spark, delta=delta)
    spark_home = Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)
    jars = find_delta_jars(
        artifact=artifact,
        delta=delta,
        folders=jar_folders(Path.home(), spark_home),
        repository=Path.home() / ".m2" / "repository",
    )
    options = {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }
    if jars is None:
        return options | {"spark.jars.packages": f"io.delta:{artifact}:{delta}"}
    if all(jar.parent == spark_home / "jars" for jar in jars):
        return options
    return options | {"spark.jars": ",".join(str(jar) for jar in jars)}


def log_configuration() -> Path:
    """Return the log4j2 file that keeps a local session quiet."""
    return Path(str(resources.files("finelake") / "log4j2.properties"))


def jvm_options(*, cores: int) -> str:
    """Return the options of the driver's JVM; they must be set before it starts."""
    options = [f"-Dlog4j2.configurationFile={log_configuration().as_uri()}", *COMPILER_OPTIONS, CODE_ROOM]
    if cores < CORES_FOR_CONCURRENT_COLLECTION:
        options.append("-XX:+UseSerialGC")
    return " ".join(options)


def cluster_options(settings: SessionSettings, *, cores: int) -> dict[str, str]:
    """Return the options that every session of finelake's own has: Delta, UTC and ANSI, whatever the cluster's are."""
    options = {
        "spark.driver.memory": settings.memory,
        "spark.driver.extraJavaOptions": jvm_options(cores=cores),
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        # A curation has some hundred plans, most of them Delta's own: of 100 kept ones each run would compile all anew.
        "spark.sql.codegen.cache.maxEntries": "2000",
    }
    if settings.shuffle_partitions:
        options["spark.sql.shuffle.partitions"] = str(settings.shuffle_partitions)
    if settings.warehouse:
        options["spark.sql.warehouse.dir"] = settings.warehouse
    return options | delta_options()


def local_options(settings: SessionSettings, *, cores: int) -> dict[str, str]:
    """Return the options of a local session; the small ones are for tables of up to some millions of rows.

    Delta's and Spark's own defaults are made for clusters: 200 shuffle partitions and 50 snapshot partitions
    make a short local run wait for empty tasks.
    """
    return cluster_options(settings, cores=cores) | {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions or cores * 2),
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(cores),
        "spark.databricks.delta.snapshotPartitions": "2",
    }
