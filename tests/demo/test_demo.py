"""The demo as a user runs it: killed while the job trains, started again, and seen through to the verdict."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import openai
import pytest
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

from finelake.services.credentials import StaticToken

KEY = "demo-test"

pytestmark = [pytest.mark.demo, pytest.mark.timeout(900)]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demo:
    """One demo folder and port; each `start` is a new process group of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.client = openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/openai/v1/", api_key=KEY, max_retries=0)

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "finelake", "demo", "--folder", str(self.folder), "--port", str(self.port)]
        return subprocess.Popen(
            [*command, "--keep-service"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "FINELAKE_EMULATOR_KEY": KEY},
            start_new_session=True,
        )

    def wait_until_training(self, process: subprocess.Popen[str], *, seconds: float = 400) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[0]
            try:
                if any(job.status == "running" for job in self.client.fine_tuning.jobs.list().data):
                    return
            except openai.APIError:
                pass
            time.sleep(0.3)
        pytest.fail("no job was running in time")

    def service_pid(self) -> int:
        return int(json.loads((self.folder / "service" / "service.json").read_text(encoding="utf-8"))["pid"])

    def deployments(self) -> list[str]:
        arm = CognitiveServicesManagementClient(
            StaticToken(KEY), "00000000-0000-0000-0000-000000000000", base_url=f"http://127.0.0.1:{self.port}"
        )
        found = arm.deployments.list("rehearsal", "rehearsal", enforce_https=False)
        return sorted(str(item.name) for item in found)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    started = Demo(tmp_path / "demo")
    yield started
    try:
        os.kill(started.service_pid(), signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        return


def test_killed_while_training_it_goes_on_with_the_same_job(demo: Demo) -> None:
    first = demo.start()
    demo.wait_until_training(first)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()

    second = demo.start()
    output, _ = second.communicate(timeout=600)

    assert second.returncode == 0, output
    assert "Verdict: promote" in output
    assert [job.status for job in demo.client.fine_tuning.jobs.list().data] == ["succeeded"]
    uploaded = [file.filename for file in demo.client.files.list(purpose="fine-tune").data]
    assert len(uploaded) == len(set(uploaded)) == 2
    assert len(demo.deployments()) == 2

    published = demo.folder / "output"
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    comparison = json.loads((published / "comparison.json").read_text(encoding="utf-8"))
    assert manifest["balance"]["rows_in"] == sum(
        manifest["balance"][f"rows_{outcome}"] for outcome in ("kept", "quarantined", "merged")
    )
    assert comparison["verdict"] == "promote"
    assert comparison["metrics"]["chrf"]["interval"]["low"] > 0
