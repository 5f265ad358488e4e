"""A training process as a real process: started, watched, killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def write_job(folder: Path, **job: Any) -> Path:
    """Write job.json into a new folder."""
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    return folder


def start(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start the process of a folder; its log lies beside the folder."""
    with folder.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "finelake.huggingface.train", str(folder)],
            stdout=log,
            stderr=log,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "FINELAKE_TRACE": "1", **environment},
        )


def finish(folder: Path, **environment: str) -> dict[str, Any]:
    """Run the process of a folder to its end and return its result."""
    start(folder, **environment).wait(timeout=500)
    return result(folder)


def result(folder: Path) -> dict[str, Any]:
    """Read result.json; the log is shown where there is none."""
    path = folder / "result.json"
    assert path.exists(), folder.with_suffix(".log").read_text(encoding="utf-8")[-4000:]
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def progress(folder: Path) -> list[dict[str, Any]]:
    """Read the lines of progress.jsonl that are whole."""
    path = folder / "progress.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def kill_at(folder: Path, process: subprocess.Popen[bytes], *, step: int) -> None:
    """Kill a process outright as soon as it has told of a step."""
    while process.poll() is None:
        if any(line["step"] >= step for line in progress(folder)):
            process.kill()
            process.wait()
            return
        time.sleep(0.01)
    raise AssertionError(f"the process ended before step {step}: {result(folder)}")
