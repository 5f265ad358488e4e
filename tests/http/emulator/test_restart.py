"""Killed with SIGKILL and started again on the same folder, the service goes on where it was."""

from __future__ import annotations

import functools
import json
import signal
import subprocess

import pytest
from openai import APIStatusError

pytestmark = pytest.mark.http


def losses(client, job_id):
    """Return the metrics of a job by step, as its events tell them."""
    events = [event for event in client.fine_tuning.jobs.list_events(job_id, limit=100) if event.type == "metrics"]
    return {event.data["step"]: event.data for event in events}


def begin_job(client, tools):
    """Create a job of 120 steps, the same every time."""
    training = tools.upload(client, tools.talk_lines(40, seed=1))
    return tools.create_job(client, training, tools.upload(client, tools.talk_lines(10, seed=2)))


def has_reached(client, job_id, step):
    """Tell whether a job has done a step."""
    return max(losses(client, job_id), default=0) >= step


def test_kill_in_the_middle_of_training_changes_no_number(emulator, own_emulator, tools):
    unbroken = begin_job(emulator.azure(), tools)
    running = own_emulator(training_seconds=4.0)
    client = running.azure()
    broken = begin_job(client, tools)
    for least in (1, 60):
        reached = functools.partial(has_reached, client, broken.id, least)
        tools.until(reached, what=f"step {least}")
        running.end(signal.SIGKILL)
        running.start()
        client = running.azure()
        assert client.fine_tuning.jobs.retrieve(broken.id).status == "running"
    ended = tools.finished(client, broken.id)
    assert ended.status == "succeeded"
    assert len(client.fine_tuning.jobs.list().data) == 1
    unbroken = tools.finished(emulator.azure(), unbroken.id)
    assert losses(client, broken.id) == losses(emulator.azure(), unbroken.id)
    whole = emulator.azure().files.content(unbroken.result_files[0]).read()
    assert client.files.content(ended.result_files[0]).read() == whole
    told = [event.message for event in client.fine_tuning.jobs.list_events(broken.id, limit=100)]
    assert len(told) == len(set(told))


def test_files_and_deployments_survive(own_emulator, tools):
    running = own_emulator(readiness_seconds=0.0)
    client = running.azure()
    content = tools.talk_lines(20, seed=1)
    training = tools.upload(client, content)
    pending = tools.upload(client, tools.talk_lines(20, seed=2), wait=False)
    job = tools.finished(client, tools.create_job(client, training).id)
    running.deploy("bikes", model=job.fine_tuned_model)
    client.files.delete(training)
    port = int(running.url.rsplit(":", 1)[1])
    running.end(signal.SIGKILL)
    running.start(port=port)
    assert running.url.endswith(f":{port}")
    client = running.azure()
    assert client.files.wait_for_processing(pending, poll_interval=0.05).status == "processed"
    with pytest.raises(APIStatusError, match="No such File"):
        client.files.content(training)
    answer = client.chat.completions.create(
        model="bikes", messages=[{"role": "user", "content": "How long is the warranty of the helmet?"}]
    )
    assert answer.choices[0].message.content.encode() in content


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_stops_training_and_leaves_no_trace_of_running(own_emulator, tools, number):
    running = own_emulator(training_seconds=600.0)
    client = running.azure()
    job = begin_job(client, tools)
    tools.until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "running", what="the start")
    process = running.process
    running.end(number)
    assert process.returncode == 0
    assert not (running.state / "service.json").exists()
    log = (running.state / "log.txt").read_text()
    assert "not a language model" in log
    assert "Traceback" not in log
    assert "bicycle" not in log
    assert tools.key not in log


def test_second_service_on_the_same_port_or_folder_is_refused(emulator, tmp_path):
    port = emulator.url.rsplit(":", 1)[1]
    own = emulator.command(port=0)
    other = [*own[: own.index("--state") + 1], str(tmp_path / "other"), *own[own.index("--state") + 2 :]]
    other[other.index("--port") + 1] = port
    refused = [subprocess.run(command, capture_output=True, text=True, timeout=60) for command in (own, other)]
    assert [one.returncode for one in refused] == [6, 6]
    assert "state folder" in refused[0].stderr
    assert "--state" in refused[0].stderr
    assert f"Port {port}" in refused[1].stderr
    assert "--port" in refused[1].stderr
    assert json.loads((emulator.state / "service.json").read_text())["url"] == emulator.url


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (["--host", "0.0.0.0"], "127.0.0.1"),
        (["--api-key", ""], "FINELAKE_EMULATOR_KEY"),
        (["--speed", "0"], "speed"),
        (["--file-seconds", "-1"], "file_seconds"),
    ],
)
def test_wrong_start_is_refused_with_its_remedy(emulator, tmp_path, extra, named):
    command = emulator.command(port=0)
    command[command.index("--state") + 1] = str(tmp_path / "state")
    refused = subprocess.run([*command, *extra], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert named in refused.stderr
    assert "Traceback" not in refused.stderr
