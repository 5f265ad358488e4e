"""The curation task on a standalone cluster, from the wheel: the same bytes as here, though a worker is killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from cluster.standalone import ROOT, Cluster, Worker, build_wheel, environment, make_environment, standalone
from finelake.config.loading import load_settings
from finelake.config.settings import Settings
from finelake.curate import curate
from finelake.ingest import ingest
from finelake.publish import MANIFEST, read_manifest
from finelake.sample import write_sample
from finelake.tables.names import source_ref

pytestmark = [pytest.mark.spark, pytest.mark.cluster, pytest.mark.timeout(900)]

CONVERSATIONS = 1_000
JOB_SECONDS = 600
_WRITTEN_AT = re.compile(r'"run_time":"[^"]*"')
WORKING_SECONDS = 1.0  # processor time after which a Python process is past its imports


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where things are: what all machines see, what the driver alone sees, and each machine's interpreter."""

    shared: Path
    driver: Path
    pythons: dict[str, Path]
    settings: Settings

    @property
    def configuration(self) -> Path:
        return self.driver / "finelake.yml"

    @property
    def output(self) -> Path:
        return Path(self.settings.output.folder)


@pytest.fixture(scope="module")
def site(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A table of raw turns in the shared folder, and its curation here, moved aside to `base` and `output.base`."""
    folder = tmp_path_factory.mktemp("site")
    shared, driver = folder / "shared", folder / "driver"
    driver.mkdir()
    wheel = build_wheel(folder / "wheel")
    pythons = {name: make_environment(folder / f"python-{name}", wheel=wheel) for name in ("driver", "one", "two")}
    pythons["bare"] = make_environment(folder / "python-bare", wheel=None)
    files = write_sample(driver / "sample", seed=5, conversations=CONVERSATIONS)
    settings = _configure(driver, shared)
    ingest(spark, str(files.raw_turns), source_ref(settings.source.table))
    curate(spark, settings)
    (shared / "tables").rename(shared / "base")
    (driver / "output").rename(driver / "output.base")
    return Site(shared=shared, driver=driver, pythons=pythons, settings=settings)


def _configure(driver: Path, shared: Path) -> Settings:
    """Write the demo's configuration for these folders and a cluster; give it as it is here."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "conf" / "local.yml").read_text(encoding="utf-8"))
    values["source"]["table"] = str(shared / "tables" / "raw_turns")
    values["tables"]["location"] = str(shared / "tables")
    values["output"]["folder"] = str(driver / "output")
    values["examples"]["tools"]["file"] = str(driver / "sample" / "tools.json")
    golden = driver / "golden.jsonl"
    golden.write_text('{"question": "Which of your branches is open on Sunday after nine?"}\n', encoding="utf-8")
    values["decontamination"] = {"tables": [{"name": "golden", "file": str(golden), "prompt": "question"}]}
    path = driver / "finelake.yml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_settings(path)


@pytest.fixture
def raw_alone(site: Site) -> None:
    """The shared folder as it was before the curation: raw turns alone."""
    for place in (site.shared / "tables", site.output):
        shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(site.shared / "base" / "raw_turns", site.shared / "tables" / "raw_turns")


@pytest.fixture
def cluster(site: Site, tmp_path: Path) -> Iterator[Cluster]:
    workers = {name: site.pythons[name] for name in ("one", "two")}
    with standalone(tmp_path, workers, hidden=site.driver) as running:
        yield running


def start_job(
    site: Site, cluster: Cluster, *, python: str, events: Path, log: IO[bytes], attempts: int = 4
) -> subprocess.Popen[bytes]:
    """Start the wheel's task `curate` as the driver; executors take the interpreter of that name on their PATH."""
    options = {
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": "1g",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.adaptive.coalescePartitions.enabled": "false",  # several Python tasks for both workers
        "spark.task.maxFailures": str(attempts),
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }
    values = yaml.safe_load(site.configuration.read_text(encoding="utf-8"))
    values["session"] = {"mode": "cluster", "remote": cluster.master, "memory": "1g", "options": options}
    configuration = site.driver / "on_cluster.yml"
    configuration.write_text(yaml.safe_dump(values), encoding="utf-8")
    variables = environment(site.pythons["driver"], site.driver) | {"PYSPARK_PYTHON": python}
    command = [str(site.pythons["driver"].with_name("curate")), "--config", str(configuration)]
    return subprocess.Popen(
        command, env=variables, cwd=site.driver, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )


def busy_worker(cluster: Cluster, job: subprocess.Popen[bytes]) -> Worker:
    """Wait for a worker in which the Python code of a task is at work, and give it."""
    while job.poll() is None:
        for worker in cluster.workers:
            if any(_seconds(task) > WORKING_SECONDS for task in worker.python_tasks()):
                return worker
        time.sleep(0.05)
    raise AssertionError("the job ended before any Python task was seen")


def _seconds(process: psutil.Process) -> float:
    try:
        return float(process.cpu_times().user)
    except psutil.Error:
        return 0.0


def lost_python_tasks(events: Path) -> int:
    """Count the tasks of stages with Python code that were lost with their executor, from Spark's event log."""
    lines = [json.loads(line) for path in events.iterdir() for line in path.read_text(encoding="utf-8").splitlines()]
    with_python = {
        line["Stage Info"]["Stage ID"]
        for line in lines
        if line["Event"] == "SparkListenerStageSubmitted"
        and any("ArrowEvalPython" in rdd.get("Scope", "") for rdd in line["Stage Info"]["RDD Info"])
    }
    return sum(
        line["Event"] == "SparkListenerTaskEnd"
        and line["Task End Reason"]["Reason"] == "ExecutorLostFailure"
        and line["Stage ID"] in with_python
        for line in lines
    )


def rows(spark: SparkSession, folder: Path) -> list[str]:
    """Give a table's rows as JSON in sorted order, without the times at which they were written."""
    frame = spark.read.format("delta").load(str(folder))
    found = frame.select(F.to_json(F.struct("*"), {"ignoreNullFields": "false"})).collect()
    return sorted(_WRITTEN_AT.sub("", row[0]) for row in found)


@pytest.mark.usefixtures("raw_alone")
def test_a_killed_worker_changes_no_byte(spark: SparkSession, site: Site, cluster: Cluster, tmp_path: Path) -> None:
    for worker in cluster.workers:
        seen = Path(f"/proc/{worker.process.pid}/root{site.driver}")
        assert os.readlink(f"/proc/{worker.process.pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt") or not [
            *seen.iterdir()
        ]
    events, log = tmp_path / "events", tmp_path / "job.log"
    events.mkdir()
    with log.open("wb") as stream:
        job = start_job(site, cluster, python="python3", events=events, log=stream)
        busy_worker(cluster, job).kill()
        assert job.wait(JOB_SECONDS) == 0, log.read_text(encoding="utf-8")
    assert sum(worker.process.poll() is None for worker in cluster.workers) == 1
    assert lost_python_tasks(events) > 0
    base, found = (read_manifest(folder) for folder in (site.driver / "output.base", site.output))
    assert base is not None
    assert found is not None
    assert found["files"] == base["files"]
    assert found["run_id"] == base["run_id"]
    names = {Path(item["table"]).name for item in base["tables"].values()}
    assert names == {Path(item["table"]).name for item in found["tables"].values()}
    assert {"annotated", "examples", "quarantine", "ledger"} <= names
    (site.shared / "tables").rename(site.shared / "killed")  # a path that this session has not read yet
    for name in sorted(names):
        assert rows(spark, site.shared / "killed" / name) == rows(spark, site.shared / "base" / name), name


def test_each_machine_imports_the_wheel_it_has(site: Site) -> None:
    for name, python in site.pythons.items():
        command = [str(python), "-c", "import finelake; print(finelake.__file__)"]
        done = subprocess.run(command, env=environment(python, site.driver), cwd="/", capture_output=True, text=True)
        if name == "bare":
            assert "No module named 'finelake'" in done.stderr
        else:
            assert Path(done.stdout.strip()).is_relative_to(python.parent.parent)


@pytest.mark.usefixtures("raw_alone")
def test_without_the_wheel_on_the_workers_nothing_is_published(site: Site, cluster: Cluster, tmp_path: Path) -> None:
    events, log = tmp_path / "events", tmp_path / "job.log"
    events.mkdir()
    with log.open("wb") as stream:
        job = start_job(site, cluster, python=str(site.pythons["bare"]), events=events, log=stream, attempts=1)
        assert job.wait(JOB_SECONDS) != 0
    assert "No module named 'finelake'" in log.read_text(encoding="utf-8")
    assert not (site.output / MANIFEST).exists()
