"""A Spark standalone cluster of real processes: a master, and workers that share no folder but the tables'."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyspark

from finelake.java import find_java

ROOT = Path(__file__).resolve().parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
START_SECONDS = 120.0


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def build_wheel(folder: Path) -> Path:
    """Build the project's wheel from a copy of its source, so that no build folder is left in the tree."""
    copy = folder / "source"
    for name in ("src", "jobs", "conf"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(copy)
    return next(folder.glob("*.whl"))


def make_environment(folder: Path, *, wheel: Path | None) -> Path:
    """Make an environment with the wheel, if any, and this one's other packages; give its interpreter.

    A path file names this environment's packages: path files there, which make an editable install visible, are not
    read in turn.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python3"
    packages = next((folder / "lib").glob("python3*")) / "site-packages"
    (packages / "dependencies.pth").write_text(f"{SPARK_HOME.parent}\n", encoding="utf-8")
    if wheel is not None:
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
        subprocess.run([*command, "--python", str(python), str(wheel)], check=True, capture_output=True)
    return python


def environment(python: Path, folder: Path) -> dict[str, str]:
    """Give the variables of a machine: its own interpreter first on the PATH, its own home and temporary folders."""
    java = find_java()
    assert java is not None
    places = {name: folder / name for name in ("home", "temporary", "local")}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(python.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1",  # short lives do not win back what the optimiser costs
        "HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]),
        "SPARK_LOCAL_DIRS": str(places["local"]),
        "LANG": "C.UTF-8",
    }


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker process with its executors, all of one process group."""

    process: subprocess.Popen[bytes]

    def python_tasks(self) -> list[psutil.Process]:
        """Give the processes in which Python code of a task runs: what pyspark's daemon has forked."""
        return [each for each in _descendants(self.process.pid) if _is_daemon(each) and _is_daemon(each.parent())]

    def kill(self) -> None:
        """Kill the worker, its executors and their Python processes at once, as a lost machine does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_daemon(process: psutil.Process | None) -> bool:
    try:
        return process is not None and "pyspark.daemon" in process.cmdline()
    except psutil.Error:
        return False


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running master with its workers."""

    master: str
    workers: list[Worker]


@contextmanager
def standalone(folder: Path, pythons: Mapping[str, Path], *, hidden: Path) -> Iterator[Cluster]:
    """Start a master and a worker of one core for each interpreter, by name; all are killed in the end.

    Where the system allows it a worker lives in a mount namespace of its own, in which the driver's folder, `hidden`,
    is empty.
    """
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []
    logs = {name: folder / f"{name}.log" for name in ("master", *pythons)}
    try:
        first = next(iter(pythons.values()))
        options = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
        started.append(_start("master.Master", options, environment(first, folder / "master"), logs["master"], ()))
        _wait_for(logs["master"], "I have been elected leader", 1)
        for name, python in pythons.items():
            options = ["--host", "127.0.0.1", "--cores", "1", "--memory", "1536m", "--webui-port", "0"]
            options += ["--work-dir", str(folder / name / "work"), master]
            machine = environment(python, folder / name)
            started.append(_start("worker.Worker", options, machine, logs[name], _hiding(hidden)))
        _wait_for(logs["master"], "Registering worker", len(pythons))
        yield Cluster(master=master, workers=[Worker(process=each) for each in started[1:]])
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _start(
    name: str, options: list[str], environment: Mapping[str, str], log: Path, prefix: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    command = [*prefix, str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *options]
    with log.open("wb") as stream:
        return subprocess.Popen(
            command, env=dict(environment), stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )


def _hiding(folder: Path) -> tuple[str, ...]:
    """Give the start of a command whose process sees nothing in a folder, or none where that is not allowed."""
    for unshare in (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount")):
        hide = (*unshare, "sh", "-c", f"mount -t tmpfs none '{folder}' && exec \"$@\"", "sh")
        if (
            shutil.which("unshare")
            and subprocess.run([*hide, "true"], capture_output=True, check=False).returncode == 0
        ):
            return hide
    return ()


def _wait_for(log: Path, text: str, times: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while log.read_text(encoding="utf-8", errors="replace").count(text) < times:
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8", errors="replace")
        time.sleep(0.2)
