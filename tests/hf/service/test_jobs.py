"""Jobs of real models at the service: adapters that are served and trained on, failures, and a cancelled job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import RateLimitError
from openai.types.chat import ChatCompletion
from openai.types.fine_tuning import FineTuningJob
from tests.hf.service.setting import MODEL, ended, local_settings, publish_chats

from finelake.config.settings import Settings
from finelake.emulator.transformer.process import HeldProcess
from finelake.services.base import FineTuningService
from finelake.services.connect import connect
from finelake.services.deployed import ModelAddress, Target
from finelake.training.effects.imports import import_at
from support.chats_to_learn import chats

pytestmark = pytest.mark.http

QUESTION = chats(1)[0]["messages"][:2]
WAIT_SECONDS = 300.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Settings]:
    """A service that tunes adapters in few steps; it knows a model without weights besides."""
    folder = tmp_path_factory.mktemp("jobs")
    publish_chats(folder / "published", train=24)
    empty = folder / "empty"
    empty.mkdir()
    local = {"tuning": "lora", "models": {MODEL: str(tiny_model), "no-weights": str(empty)}, "checkpoint_steps": 3}
    with ended(folder):
        yield local_settings(folder, tiny_model, huggingface=local, training={"epochs": 2})


@pytest.fixture
def service(settings: Settings) -> Iterator[FineTuningService]:
    """The service of this module's settings."""
    with connect(settings.service) as connected:
        yield connected


def begin(service: FineTuningService, settings: Settings, model: str, **own: Any) -> str:
    """Upload the lines and create a job; `own` changes what only models with weights have."""
    client = service.client
    address = service.address_of(Path(settings.output.folder, "train.jsonl"))
    assert address is not None
    file = import_at(service, address, name="train.jsonl")
    until(lambda: client.files.retrieve(file.id).status == "processed")
    body = service.job_body(settings.training)
    body["transformers"] = body["transformers"] | own
    return client.fine_tuning.jobs.create(model=model, training_file=file.id, extra_body=body).id


def over(service: FineTuningService, job: str) -> FineTuningJob:
    """Wait for the end of a job."""
    until(lambda: service.job(job).status in ("succeeded", "failed", "cancelled"))
    return service.job(job)


def patient(ask: Callable[[], ChatCompletion]) -> ChatCompletion:
    """Ask again while the model's server starts."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return ask()
        except RateLimitError:
            assert time.monotonic() < deadline


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def request_of(settings: Settings, job: str) -> dict[str, Any]:
    """Read what the training process was asked."""
    assert settings.service.huggingface is not None
    place = Path(settings.service.huggingface.folder) / "service" / "jobs" / job / "job.json"
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


def answer_of(service: FineTuningService, name: str, model: str, version: str = "1") -> tuple[str, str | None]:
    """Deploy a model and ask it; give the answer and the fingerprint of its weights."""
    assert service.deployments is not None
    service.deployments.put(Target(name, ModelAddress("Hugging Face", model, version), "Standard", 10))
    asked = {"model": name, "messages": QUESTION, "max_tokens": 12, "temperature": 0}
    done = patient(lambda: service.client.chat.completions.create(**asked))
    return done.choices[0].message.content or "", done.system_fingerprint


def test_an_adapter_is_merged_served_and_trained_on(service: FineTuningService, settings: Settings) -> None:
    first = over(service, begin(service, settings, MODEL))
    assert first.status == "succeeded", first.error
    tuned = str(first.fine_tuned_model)
    base, own = answer_of(service, "base", MODEL), answer_of(service, "tuned", tuned)
    assert own[0] != base[0]
    assert own[1] != base[1]
    second = begin(service, settings, tuned, hyperparameters={"learning_rate": 0.001})
    asked = request_of(settings, first.id)
    assert (asked["tuning"], asked["model"]["adapter"]) == ("lora", None)
    done = over(service, second)
    assert done.status == "succeeded", done.error
    again = request_of(settings, second)
    assert again["model"]["source"] == asked["model"]["source"]
    assert Path(again["model"]["adapter"], "adapter_config.json").exists()
    assert again["hyperparameters"]["learning_rate"] == 0.001
    assert again["hyperparameters"]["epochs"] == 2


def test_a_model_without_weights_fails_with_what_to_do(service: FineTuningService, settings: Settings) -> None:
    job = over(service, begin(service, settings, "no-weights"))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.code == "model_missing"
    assert "Name the folder of a whole model" in job.error.message


def test_what_the_training_process_would_not_take_is_named(service: FineTuningService, settings: Settings) -> None:
    job = over(service, begin(service, settings, MODEL, hyperparameters={"speed": 3}))
    assert job.status == "failed"
    assert job.error is not None
    assert "hyperparameters.speed" in job.error.message


def test_a_cancelled_job_leaves_no_process(service: FineTuningService, settings: Settings) -> None:
    assert settings.service.huggingface is not None
    state = Path(settings.service.huggingface.folder) / "service"
    job = begin(service, settings, MODEL)
    process = HeldProcess(state / "processes" / job)
    until(process.is_running)
    service.client.fine_tuning.jobs.cancel(job)
    until(lambda: not process.is_running())
    assert service.job(job).status == "cancelled"
