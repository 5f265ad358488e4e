"""Take real turns to a verdict on a real transformer, with its driver and its training process killed on the way.

    python benchmarks/hf_run.py ../shared/data/sgd_turns.jsonl.gz --folder /somewhere/new [--conversations 600]

A small Llama is initialised from a config, with a tokenizer fitted to the turns; nothing is downloaded. Each step is a
command of its own. While the model trains, the training process is killed, then the driver, then the service; the same
command goes on. At the end the run's files are made again and compared, and one JSON object tells the figures.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from finelake.emulator.transformer.process import HeldProcess
from finelake.huggingface.tiny import Size, make_tiny
from finelake.services.local import find_service, stop_service

CONFIGURATION = Path(__file__).with_name("hf_run.yml")
HELD, REJECTED = 10, 11
TICK = 0.5


class Road:
    """Runs commands in one environment and keeps what each gave."""

    def __init__(self, folder: Path, changes: list[str]) -> None:
        self.folder = folder
        self.state = folder / "huggingface" / "service"
        self.changes = [text for change in changes for text in ("--set", change)]
        self.environment = {**os.environ, "FOLDER": str(folder)}
        self.steps: list[dict[str, Any]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one command."""
        command = [sys.executable, "-m", "finelake", *arguments, *self.changes]
        return subprocess.Popen(
            [*command, "--config", str(CONFIGURATION), "--json"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def go(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> Any:
        """Run one command to its end and give its JSON; ends everything at another exit code."""
        began = time.monotonic()
        process = self.start(*arguments)
        said, _ = process.communicate()
        self.note(" ".join(arguments), process.returncode, began)
        if process.returncode not in expected:
            raise SystemExit(f"{arguments} ended with {process.returncode}: {said[-2000:]}")
        return json.loads(said.strip().rpartition("\n")[2])

    def note(self, what: str, code: int, began: float) -> None:
        """Keep what a command came to."""
        self.steps.append({"command": what, "exit": code, "seconds": round(time.monotonic() - began, 1)})
        sys.stderr.write(f"{self.steps[-1]}\n")

    def broken_training(self) -> list[dict[str, Any]]:
        """Train, kill the training process at a quarter, the driver at half, the service at three quarters."""
        began, kills = time.monotonic(), []
        driver = self.start("train")
        for share, kill in ((0.25, self.kill_training), (0.5, driver.kill), (0.75, self.kill_service)):
            step = self.wait_for(share)
            kill()
            name = getattr(kill, "__name__", "kill")
            kills.append({"killed": "driver" if name == "kill" else name.removeprefix("kill_"), "step": step})
            (self.folder / "kills.json").write_text(json.dumps(kills), encoding="utf-8")
        driver.communicate()
        self.note("train (killed)", driver.returncode, began)
        return kills

    def earlier_kills(self) -> list[dict[str, Any]]:
        """Read what was killed by an earlier start of this script."""
        place = self.folder / "kills.json"
        found: list[dict[str, Any]] = json.loads(place.read_text(encoding="utf-8")) if place.exists() else []
        return found

    def wait_for(self, share: float) -> int:
        """Wait until a share of the steps is done and give the step."""
        while True:
            told = self.progress()
            if told and told[-1]["step"] >= share * told[-1]["total_steps"]:
                return int(told[-1]["step"])
            time.sleep(TICK)

    def progress(self) -> list[dict[str, Any]]:
        """Read the lines of the only job's training process."""
        found = list((self.state / "jobs").glob("*/progress.jsonl"))
        text = found[0].read_text(encoding="utf-8") if found else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def kill_training(self) -> None:
        """End the training process outright."""
        (job,) = (self.state / "jobs").iterdir()
        os.kill(HeldProcess(self.state / "processes" / job.name).pid or 0, signal.SIGKILL)

    def kill_service(self) -> None:
        """End the service outright; the training process goes on."""
        running = find_service(self.state)
        if running is None:
            raise SystemExit("the service was to be killed but does not run")
        os.kill(running.pid, signal.SIGKILL)

    def result(self) -> dict[str, Any]:
        """Read how the training process ended."""
        (place,) = (self.state / "jobs").glob("*/result.json")
        found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        return found


def main() -> None:
    """Go the road and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for everything")
    parser.add_argument("--conversations", type=int, default=600)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--go-on", action="store_true", help="the folder is there, with what was curated in it")
    parser.add_argument("--unbroken", action="store_true", help="kill nothing")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    folder = given.folder.absolute()
    road = Road(folder, given.set)
    try:
        if not given.go_on:
            folder.mkdir(parents=True)
            size = Size(vocabulary=given.vocabulary, hidden=given.hidden, layers=given.layers, positions=512)
            _prepare(road, given.file, given.conversations, size)
        begun = given.go_on and bool(road.progress())
        told = _go(road, kills=road.earlier_kills if given.unbroken or begun else road.broken_training)
    finally:
        running = find_service(road.state)
        if running is not None:
            stop_service(running.pid)
    sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def _prepare(road: Road, file: Path, conversations: int, size: Size) -> None:
    turns = _first(file, road.folder / "turns.jsonl", conversations)
    make_tiny(road.folder / "model", (json.loads(line)["text"] for line in turns), size=size, seed=7)
    road.go("ingest", str(road.folder / "turns.jsonl"))
    road.go("curate")


def _go(road: Road, *, kills: Callable[[], list[dict[str, Any]]]) -> dict[str, Any]:
    planned = road.go("plan")
    killed = kills()
    trained = road.go("train")
    compared = road.go("evaluate", expected=(0, HELD, REJECTED))
    again = road.go("reproduce", trained["run_id"])
    promoted = road.go("promote") if compared["verdict"] == "promote" else None
    told, result = road.progress(), road.result()
    return {
        "steps": road.steps,
        "files": planned["plan"]["files"],
        "plan": [one for one in planned["plan"]["findings"] if one["check"] in ("memory", "training_time")],
        "killed": killed,
        "trained": trained,
        "training": result,
        "valid_losses": {line["step"]: line["valid_loss"] for line in told if line["valid_loss"] is not None},
        "lines_once": [line["step"] for line in told] == list(range(1, len(told) + 1)),
        "verdict": [compared["verdict"], *compared["reasons"]],
        "metrics": compared["metrics"],
        "reproduced": again,
        "promoted": promoted,
    }


def _first(file: Path, target: Path, count: int) -> list[str]:
    """Write the turns of the first conversations, which stand together in the file, and give their lines."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        grouped = itertools.groupby(stream, key=lambda line: json.loads(line)["conversation_id"])
        lines = [line for lines in _taken(grouped, count) for line in lines]
    target.write_text("".join(lines), encoding="utf-8")
    return lines


def _taken(grouped: Iterator[tuple[Any, Iterator[str]]], count: int) -> Iterator[list[str]]:
    for _, lines in itertools.islice(grouped, count):
        yield list(lines)


if __name__ == "__main__":
    main()
