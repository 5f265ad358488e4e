"""The emulator as a real process, the real clients, and small training files that read like conversations."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
from openai import AzureOpenAI, OpenAI

KEY = "a-key-for-rehearsals"
API_VERSION = "2025-04-01-preview"
MODEL = "gpt-4.1-mini-2025-04-14"
GROUP, ACCOUNT = "rg-tests", "finelake-tests"
SOURCE = Path(__file__).resolve().parents[3] / "src"
FAST: dict[str, float] = {
    "file_seconds": 0.2,
    "queue_seconds": 0.1,
    "training_seconds": 0.0,
    "deployment_seconds": 0.4,
    "readiness_seconds": 0.6,
}
SYSTEM = "You help customers of a small bicycle shop. Be brief and kind."
ITEMS = ("bicycle lamp", "rear wheel", "rain jacket", "child seat", "chain lock", "saddle bag", "helmet", "brake cable")
PLACES = ("Gent", "Porto", "Graz", "Lyon", "Turku", "Bergen", "Split", "Cork")
TALKS = (
    ("Where is the {item} I ordered last week?", "Your {item} left our house on Monday and reaches {place} tomorrow."),
    (
        "I want to send the {item} back.",
        "Of course. Put the {item} into its box and hand it in at our shop in {place}.",
    ),
    ("Do you have the {item} in your shop in {place}?", "Yes, the {item} lies ready for you at our shop in {place}."),
    (
        "The {item} came broken to {place}.",
        "I am sorry about the {item}. A new one goes to {place} today, free of charge.",
    ),
    ("How long is the warranty of the {item}?", "The {item} has a warranty of two years from the day you bought it."),
)


class StaticCredential:
    """A credential whose token never changes."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Return the token that the control plane of the emulator accepts like any other."""
        return AccessToken("a-token", int(time.time()) + 3600)


@dataclass
class Emulator:
    """A running emulator; `kill` ends it with SIGKILL, `start` starts it again on the same folder."""

    state: Path
    options: dict[str, float]
    stack: ExitStack = field(default_factory=ExitStack)
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, port: int = 0) -> None:
        """Start the process and wait until it says that it answers."""
        ready = self.state / "service.json"
        ready.unlink(missing_ok=True)
        self.state.mkdir(exist_ok=True)
        with (self.state / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(port=port), env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdout=log, stderr=log
            )
        until(ready.exists, what="the emulator")
        self.url = json.loads(ready.read_text())["url"]

    def command(self, *, port: int) -> list[str]:
        """Return the command line."""
        options = [part for name, value in self.options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        base = [sys.executable, "-m", "finelake.emulator", "--port", str(port), "--state", str(self.state)]
        return [*base, "--api-key", KEY, *options]

    def end(self, number: signal.Signals) -> None:
        """End the process with a signal."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            self.process = None

    def azure(self, *, key: str = KEY) -> AzureOpenAI:
        """Return the SDK's client for the dated paths."""
        client = AzureOpenAI(azure_endpoint=self.url, api_key=key, api_version=API_VERSION, max_retries=0)
        return self.stack.enter_context(client)

    def v1(self) -> OpenAI:
        """Return the SDK's client for Azure's v1 paths."""
        return self.stack.enter_context(OpenAI(base_url=f"{self.url}/openai/v1/", api_key=KEY, max_retries=0))

    def openai(self) -> OpenAI:
        """Return the SDK's client for OpenAI's own paths."""
        return self.stack.enter_context(OpenAI(base_url=f"{self.url}/v1", api_key=KEY, max_retries=0))

    def arm(self) -> CognitiveServicesManagementClient:
        """Return the management client."""
        client = CognitiveServicesManagementClient(
            StaticCredential(), "00000000-0000-0000-0000-000000000001", base_url=self.url
        )
        return self.stack.enter_context(client)

    def deploy(
        self,
        name: str,
        *,
        model: str,
        version: str = "1",
        sku: str = "GlobalStandard",
        capacity: int = 50,
        account: str = ACCOUNT,
    ) -> Any:
        """Deploy a model through the management client and wait for it."""
        body = {
            "sku": {"name": sku, "capacity": capacity},
            "properties": {"model": {"format": "OpenAI", "name": model, "version": version}},
        }
        operations = self.arm().deployments
        poller = operations.begin_create_or_update(
            GROUP, account, name, body, polling_interval=0.1, enforce_https=False
        )
        return poller.result()

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock forward."""
        self.v1().with_options(base_url=self.url).post(
            "/rehearsal/clock/advance", cast_to=object, body={"seconds": seconds}
        )


def until(check: Callable[[], Any], *, what: str, seconds: float = 60.0) -> Any:
    """Return the first true value of a check; fail when none comes in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {seconds} seconds")


def talk_lines(count: int, *, seed: int, shuffled: bool = False) -> bytes:
    """Write training lines; `shuffled` puts the words of every answer into a random order."""
    chance = random.Random(seed)
    lines = []
    for _ in range(count):
        question, answer = chance.choice(TALKS)
        slots = {"item": chance.choice(ITEMS), "place": chance.choice(PLACES)}
        words = answer.format(**slots).split(" ")
        if shuffled:
            chance.shuffle(words)
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": question.format(**slots)},
            {"role": "assistant", "content": " ".join(words)},
        ]
        lines.append(json.dumps({"messages": messages}, ensure_ascii=False))
    return "\n".join(lines).encode() + b"\n"


def upload(client: OpenAI, content: bytes, *, name: str = "train.jsonl", wait: bool = True) -> str:
    """Upload a training file and wait until it was checked."""
    created = client.files.create(file=(name, BytesIO(content)), purpose="fine-tune")
    if wait:
        client.files.wait_for_processing(created.id, poll_interval=0.05, max_wait_seconds=30)
    return created.id


def finished(client: OpenAI, job_id: str) -> Any:
    """Wait until a job is over and return it."""

    def over() -> Any:
        job = client.fine_tuning.jobs.retrieve(job_id)
        return job if job.status in ("succeeded", "failed", "cancelled") else None

    return until(over, what="the end of the job")


def create_job(client: OpenAI, training: str, validation: str | None = None, **options: Any) -> Any:
    """Create a job with Azure's training type and without the SDK's own retries."""
    extra = options.pop("extra", {"trainingType": "GlobalStandard"})
    given = {"model": MODEL, "seed": 7, **options}
    if validation is not None:
        given["validation_file"] = validation
    return client.fine_tuning.jobs.create(training_file=training, extra_body=extra, **given)


@dataclass(frozen=True)
class Tools:
    """The helpers above, for tests."""

    until: Callable[..., Any] = until
    talk_lines: Callable[..., bytes] = talk_lines
    upload: Callable[..., str] = upload
    finished: Callable[..., Any] = finished
    create_job: Callable[..., Any] = create_job
    model: str = MODEL
    group: str = GROUP
    account: str = ACCOUNT
    system: str = SYSTEM
    key: str = KEY


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The helpers of these tests."""
    return Tools()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One fast emulator for all tests that do not restart it or move its clock."""
    running = Emulator(tmp_path_factory.mktemp("emulator") / "state", FAST)
    running.start()
    yield running
    running.stack.close()
    running.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Emulator]]:
    """Start emulators that the tests of a module share, one for each set of options."""
    with ExitStack() as stack:
        running: dict[frozenset[tuple[str, float]], Emulator] = {}

        def begin(**options: float) -> Emulator:
            key = frozenset(options.items())
            if key not in running:
                new = Emulator(tmp_path_factory.mktemp("shared") / "state", {**FAST, **options})
                stack.callback(new.stack.close)
                stack.callback(new.end, signal.SIGTERM)
                new.start()
                running[key] = new
            return running[key]

        yield begin


@pytest.fixture
def clocked(shared_emulator: Callable[..., Emulator]) -> Emulator:
    """A module's emulator for tests that move the clock; tuned deployments are ready after ten minutes."""
    return shared_emulator(readiness_seconds=600.0)


@pytest.fixture
def own_emulator(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Start emulators of a test's own, with options over the fast ones."""
    with ExitStack() as stack:

        def begin(**options: float) -> Emulator:
            running = Emulator(tmp_path / "state", {**FAST, **options})
            stack.callback(running.stack.close)
            stack.callback(running.end, signal.SIGKILL)
            running.start()
            return running

        yield begin


@dataclass(frozen=True)
class Tuned:
    """A job that succeeded, its files, and the names of two deployments that answer."""

    job: Any
    training: bytes
    validation: bytes
    deployment: str
    base_deployment: str


@pytest.fixture(scope="session")
def tuned(emulator: Emulator) -> Tuned:
    """One trained and deployed model beside its base model, for the tests that only ask."""
    client = emulator.azure()
    training, validation = talk_lines(60, seed=1), talk_lines(12, seed=2)
    files = [upload(client, training), upload(client, validation, name="valid.jsonl")]
    job = finished(client, create_job(client, *files, suffix="bikes", metadata={"run_id": "r-1"}).id)
    emulator.deploy("bikes", model=job.fine_tuned_model)
    emulator.deploy("base", model="gpt-4.1-mini", version="2025-04-14")
    ask = [{"role": "user", "content": "Hello"}]

    def answers() -> bool:
        response = client.with_options(max_retries=0).chat.completions.with_raw_response
        try:
            return response.create(model="bikes", messages=ask).http_response.is_success
        except Exception as error:
            if getattr(error, "code", None) != "DeploymentNotFound":
                raise
            return False

    until(answers, what="the deployment")
    return Tuned(job, training, validation, "bikes", "base")
