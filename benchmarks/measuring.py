"""What benchmarks measure beside seconds: resident memory by kind of process, and Spark's jobs by step.

Job figures come from the status store of a local classic session, which is there without the web interface.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil
from pyspark.sql import SparkSession

SAMPLE_SECONDS = 0.5


class PeakMemory(threading.Thread):
    """Samples the resident memory of this process and its children until stopped.

    Pages that several processes share count once for each.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()
        self.peaks: dict[str, int] = {"driver": 0, "jvm": 0, "workers": 0, "all": 0}

    def run(self) -> None:
        own = psutil.Process()
        while not self._stopped.wait(SAMPLE_SECONDS):
            now = {"driver": _resident(own), "jvm": 0, "workers": 0}
            for each in own.children(recursive=True):
                now["jvm" if _is_java(each) else "workers"] += _resident(each)
            now["all"] = sum(now.values())
            self.peaks = {kind: max(peak, now[kind]) for kind, peak in self.peaks.items()}

    def stop(self) -> dict[str, int]:
        """Stop and give the peaks in MB: the driver's Python, the JVM, the Python workers, and all at one time."""
        self._stopped.set()
        self.join()
        return self.peaks_mb

    @property
    def peaks_mb(self) -> dict[str, int]:
        """The peaks so far, in MB."""
        return {kind: round(peak / 1e6) for kind, peak in self.peaks.items()}


def cpu_seconds() -> dict[str, float]:
    """Give the CPU seconds so far of this process, the JVM and the Python workers; ended ones by their parent."""
    own = psutil.Process()
    spent = {"driver": _spent(own), "jvm": 0.0, "workers": 0.0}
    for each in own.children(recursive=True):
        spent["jvm" if _is_java(each) else "workers"] += _spent(each)
    return spent


def _spent(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    inherited = 0.0 if _is_java(process) else times.children_user + times.children_system
    return float(times.user + times.system + inherited)


def _is_java(process: psutil.Process) -> bool:
    try:
        return process.name() == "java"
    except psutil.NoSuchProcess:
        return False


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


@dataclass
class Work:
    """What Spark did in one step: its own jobs, those of Delta's log, tasks, and MB read, shuffled, written, spilt."""

    seconds: float = 0.0
    jobs: int = 0
    delta_jobs: int = 0
    tasks: int = 0
    read: float = 0.0
    shuffled: float = 0.0
    written: float = 0.0
    spilt: float = 0.0
    reads: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Give the figures with sizes in whole MB; `reads` are the stages that read, largest first."""
        rounded = {name: round(value, 1) for name, value in asdict(self).items() if isinstance(value, float)}
        return asdict(self) | rounded | {"reads": [round(each, 1) for each in sorted(self.reads, reverse=True)]}


class StepWatch:
    """An observer of `finelake.curate.curate` that attributes jobs to the step in which they began."""

    def __init__(self, spark: SparkSession) -> None:
        context: Any = spark.sparkContext
        self._store: Any = context._jsc.sc().statusStore()
        self._no_quantiles = context._gateway.new_array(context._jvm.double, 0)
        self._steps: list[tuple[str, int]] = []
        self._seconds: dict[str, float] = {}

    def step_started(self, step: str) -> None:
        """Note when the step began, by the JVM's clock, which is this machine's."""
        self._steps.append((step, int(time.time() * 1000)))

    def step_finished(self, step: str, seconds: float) -> None:
        """Note how long the step took."""
        self._seconds[step] = seconds

    def work(self) -> dict[str, Work]:
        """Give the work of each step, in the order of the steps."""
        found = {step: Work(seconds=self._seconds.get(step, 0.0)) for step, _ in self._steps}
        stages = {
            stage.stageId(): stage
            for stage in self._listed(self._store.stageList(None, False, False, self._no_quantiles, None))
        }
        for job in self._listed(self._store.jobsList(None)):
            submitted = job.submissionTime().get().getTime() if job.submissionTime().isDefined() else 0
            step = self._step_of(submitted)
            if step is not None:
                self._add(found[step], job, stages)
        return found

    def _step_of(self, submitted: int) -> str | None:
        begun = [step for step, start in self._steps if start <= submitted]
        return begun[-1] if begun else None

    def _add(self, work: Work, job: Any, stages: dict[int, Any]) -> None:
        described = f"{job.name()} {job.description().get() if job.description().isDefined() else ''}"
        if "Delta" in described:
            work.delta_jobs += 1
        else:
            work.jobs += 1
        for number in self._listed(job.stageIds()):
            stage = stages.pop(number, None)
            if stage is None or stage.status().toString() != "COMPLETE":
                continue
            read = stage.inputBytes() / 1e6
            work.tasks += stage.numCompleteTasks()
            work.read += read
            work.shuffled += stage.shuffleWriteBytes() / 1e6
            work.written += stage.outputBytes() / 1e6
            work.spilt += stage.diskBytesSpilled() / 1e6
            if read >= 1:
                work.reads.append(read)

    def _listed(self, sequence: Any) -> Iterator[Any]:
        return (sequence.apply(n) for n in range(sequence.size()))


def table(rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows as a table in plain text, the first one its header, numbers to the right."""
    texts = [[f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in texts) for n in range(len(texts[0]))]
    lines = []
    for row in texts:
        cells = [
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
