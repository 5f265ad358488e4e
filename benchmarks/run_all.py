"""Run the benchmarks of curation one after the other and show their first lines together at the end.

    python benchmarks/run_all.py --peers-python PEERS/bin/python PEERS-SPARK/bin/python --folder OUT

Each is a command of its own; what it prints is kept in `--folder`, one text file a benchmark. With everything it takes
about 50 minutes on two cores; `--only` chooses some.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
HEADLINES = 6


def commands(peers: list[str]) -> dict[str, list[str]]:
    """Name the benchmarks with their arguments."""
    near = ["near_duplicates.py", "--peers-python", *peers]
    return {
        "tokens": ["token_counting.py"],
        "near-100k": [*near, "--chats", "100000", "--hot", "100000", "--peers", "daft", "rensa"],
        "near-1m": [*near, "--chats", "1000000", "--memory", "8g", "--peers", "daft", "rensa"],
        "near-slow-peers": [*near, "--chats", "100000", "--peers", "distributed_curator", "datatrove"],
        "curation": ["curation.py"],
        "growth": ["curation.py", "--sizes", "12500", "25000", "50000", "100000", "--warm", "1"],
        "curation-1m": ["curation.py", "--sizes", "100000", "1000000", "--warm", "1", "--set", "session.memory=8g"],
        "increments": ["increments.py"],
    }


def run(name: str, command: list[str], folder: Path) -> str:
    """Run one benchmark; gives its first lines, or how it failed."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(HERE / command[0]), *command[1:]], capture_output=True, text=True, check=False
    )
    (folder / f"{name}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    lines = done.stdout.splitlines()[:HEADLINES] if done.returncode == 0 else [f"failed: exit code {done.returncode}"]
    head = [line for line in lines if not line.startswith(("{", "["))]
    return "\n".join([f"{name} ({time.monotonic() - began:.0f} s)", *(f"  {line}" for line in head)])


def main() -> None:
    """Run what is chosen and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", nargs="+", default=[sys.executable])
    parser.add_argument("--folder", type=Path, default=Path(".finelake/benchmarks"))
    parser.add_argument("--only", nargs="+", choices=commands([]))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    summary = []
    for name, command in commands(given.peers_python).items():
        if given.only is None or name in given.only:
            summary.append(run(name, command, given.folder))
            sys.stderr.write(f"{summary[-1]}\n")
    sys.stdout.write("\n".join(summary) + "\n")


if __name__ == "__main__":
    main()
