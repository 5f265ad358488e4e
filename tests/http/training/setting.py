"""What the tests of a training run share: published files, settings, and the service as a real process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openai import AzureOpenAI

from finelake.config.settings import Settings

KEY = "rehearsal-key-of-the-tests"
KEY_VARIABLE = "FINELAKE_TEST_SERVICE_KEY"
MODEL = "gpt-4.1-mini-2025-04-14"
ROOT = Path(__file__).resolve().parents[3]
_START_SECONDS = 60.0
_FAST = {"file-seconds": 1, "queue-seconds": 1, "training-seconds": 2, "deployment-seconds": 2, "readiness-seconds": 2}


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one test: where it answers, and a client of the test's own to look inside."""

    url: str
    client: AzureOpenAI

    def jobs(self) -> list[str]:
        """Give the ids of all jobs."""
        return [job.id for job in self.client.fine_tuning.jobs.list(limit=100).data]

    def file_names(self) -> list[str]:
        """Give the names of all uploaded files."""
        return sorted(file.filename for file in self.client.files.list(purpose="fine-tune").data)


def driver_environment() -> dict[str, str]:
    """Give the environment of a driver that a test starts as a process of its own."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}


@contextmanager
def running_service(state: Path, *, speed: float = 10.0, **options: float) -> Iterator[Service]:
    """Run the service as a process for the length of a block; times are seconds of its own, faster clock."""
    arguments = [sys.executable, "-m", "finelake.emulator", "--port", "0", "--state", str(state)]
    chosen = {"speed": speed} | _FAST | {name.replace("_", "-"): value for name, value in options.items()}
    arguments += [text for name, value in chosen.items() for text in (f"--{name}", str(value))]
    state.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "FINELAKE_EMULATOR_KEY": KEY, "PYTHONPATH": str(ROOT / "src")}
    with (state / "log.txt").open("ab") as log, subprocess.Popen(arguments, env=environment, stderr=log) as process:
        try:
            url = _address(state / "service.json", process)
            with AzureOpenAI(azure_endpoint=url, api_key=KEY, api_version="2025-04-01-preview") as client:
                yield Service(url=url, client=client)
        finally:
            process.terminate()


def _address(ready: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The service did not start; see {ready.parent / 'log.txt'}.")
        time.sleep(0.05)
    return str(json.loads(ready.read_text(encoding="utf-8"))["url"])


def publish_examples(folder: Path, *, train: int = 24, validation: int = 12, test: int = 6, salt: str = "") -> None:
    """Write published files of a small shop's conversations, with their manifest."""
    counts = {"train": train, "validation": validation, "test": test}
    publish_lines(folder, {split: [_line(split, at, salt) for at in range(n)] for split, n in counts.items()})


def publish_lines(folder: Path, lines: dict[str, list[str]], *, model: str = MODEL, **manifest: object) -> None:
    """Write published files of these lines, with a manifest that says 40 tokens a line."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for split, of_split in lines.items():
        content = "".join(f"{line}\n" for line in of_split).encode()
        (folder / f"{split}.jsonl").write_bytes(content)
        count = len(of_split)
        files[split] = {
            "file": f"{split}.jsonl",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "examples": count,
            "tokens": 40 * count,
            "trained_tokens": 20 * count,
        }
    text = json.dumps({"model": model, "encoding": "o200k_base", "files": files, **manifest})
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def _line(split: str, at: int, salt: str) -> str:
    question = f"Where is order {split}-{1000 + at} {salt}?".replace(" ?", "?")
    answer = f"Order {split}-{1000 + at} left our warehouse and arrives in {2 + at % 5} days."
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages}, separators=(",", ":"))


def settings_for(folder: Path, *, url: str, **sections: dict[str, object]) -> Settings:
    """Give settings of a run whose tables and files are under `folder`; `sections` change single keys."""
    values: dict[str, dict[str, object]] = {
        "source": {"table": str(folder / "raw"), "columns": {"turn_index": "turn_index"}},
        "tables": {"location": str(folder / "tables")},
        "output": {"folder": str(folder / "published")},
        "service": {
            "endpoint": url,
            "api_key": {"env": KEY_VARIABLE},
            "subscription_id": "00000000-0000-0000-0000-000000000001",
            "resource_group": "rehearsal",
            "account": "local",
            "resource_manager": url,
            "resource_manager_token": {"env": KEY_VARIABLE},
        },
        "training": {"poll_seconds": 0.1, "epochs": 2, "batch_size": 4},
        "deployment": {"capacity": 10, "ready_timeout_seconds": 60},
    }
    for name, changes in sections.items():
        values[name] = values.get(name, {}) | changes
    return Settings.model_validate({"project": "shop", "model": MODEL, **values})
