"""Take a JSONL file of turns all the way: ingest, curate, plan, train, evaluate, promote; then more data, and again.

    python benchmarks/whole_run.py ../shared/data/sgd_turns.jsonl.gz --folder /somewhere/new [--conversations 4000]

Each step is a command of its own, as a job would run it, against the local service. The second round has more
conversations and another setting. At the end the runs are listed, the first round's files are made again although they
were overwritten, both rounds are compared, and one JSON object tells exit codes, seconds and the findings.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finelake.services.local import ensure_service, stop_service

CONFIGURATION = Path(__file__).with_name("sgd_run.yml")
KEY = "rehearsal"
PROMOTED, HELD, REJECTED = 0, 10, 11


class Road:
    """Runs commands in one environment and keeps what each gave."""

    def __init__(self, folder: Path, port: int) -> None:
        self.environment = {**os.environ, "FOLDER": str(folder), "PORT": str(port), "FINELAKE_EMULATOR_KEY": KEY}
        self.steps: list[dict[str, Any]] = []

    def go(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> Any:
        """Run one command, note exit code and seconds, and give its JSON; ends everything at another exit code."""
        began = time.monotonic()
        command = [sys.executable, "-m", "finelake", *arguments, "--config", str(CONFIGURATION), "--json"]
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, text=True, check=False)
        seconds = round(time.monotonic() - began, 1)
        self.steps.append({"command": " ".join(arguments), "exit": done.returncode, "seconds": seconds})
        sys.stderr.write(f"{self.steps[-1]}\n")
        if done.returncode not in expected:
            raise SystemExit(f"{arguments} ended with {done.returncode}: {done.stdout[-2000:]}")
        return json.loads(done.stdout.strip().rpartition("\n")[2])

    def round(self, file: Path, *changes: str) -> dict[str, Any]:
        """Take a file of turns from ingest to promotion and give the ids and the numbers."""
        settings = [text for change in changes for text in ("--set", change)]
        self.go("ingest", str(file), *settings)
        curated = self.go("curate", *settings)["curate"]
        planned = self.go("plan", *settings)
        trained = self.go("train", *settings)
        compared = self.go("evaluate", *settings, expected=(PROMOTED, HELD, REJECTED))
        found = {
            "curation": curated["run_id"],
            "files": curated["files"],
            "plan": planned,
            "training": trained,
            "evaluation": compared["evaluation_id"],
            "verdict": [compared["verdict"], *compared["reasons"]],
            "gain": compared["metrics"][compared["gate"]["metric"]],
        }
        if compared["verdict"] == "promote":
            found["promoted"] = self.go("promote", *settings)
        return found


def main() -> None:
    """Go both rounds and print what came of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for tables, files and service")
    parser.add_argument("--conversations", type=int, default=4000, help="of the first round")
    parser.add_argument("--more", type=int, default=500, help="conversations that the second round has besides")
    parser.add_argument("--port", type=int, default=8047)
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True)
    parts = _parts(given.file, folder, given.conversations, given.more)
    service = ensure_service(port=given.port, state=folder / "service", api_key=KEY, options={"training_seconds": 20.0})
    road = Road(folder, given.port)
    try:
        first = road.round(parts[0])
        second = road.round(parts[1], "duplicates.near=true", "training.epochs=3")
        listed = road.go("runs")
        again = [road.go("reproduce", one["curation"]) for one in (first, second)]
        changed = road.go("diff", first["evaluation"], second["evaluation"])
    finally:
        stop_service(service.pid)
    told = {
        "steps": road.steps,
        "first": first,
        "second": second,
        "runs": [[one["kind"], one["run_id"], one["state"], one["parent"]] for one in listed],
        "reproduced": again,
        "diff": changed,
    }
    sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def _parts(file: Path, folder: Path, first: int, more: int) -> list[Path]:
    """Write the turns of the first conversations, and those of the next ones, into two files."""
    places = [folder / "first.jsonl", folder / "more.jsonl"]
    turns = _conversations(file)
    for place, count in zip(places, (first, more), strict=True):
        with place.open("w", encoding="utf-8") as stream:
            for lines in itertools.islice(turns, count):
                stream.writelines(lines)
    return places


def _conversations(file: Path) -> Iterator[list[str]]:
    """Give the lines of one conversation after the other; they stand together in the file."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        for _, lines in itertools.groupby(stream, key=lambda line: json.loads(line)["conversation_id"]):
            yield list(lines)


if __name__ == "__main__":
    main()
