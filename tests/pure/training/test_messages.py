"""Messages: why a job failed, what a display shows, and where secrets are looked for."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from finelake.config.settings import SecretRef, Service
from finelake.errors import ConfigError
from finelake.services.connect import connect
from finelake.services.credentials import resolve
from finelake.services.identity import checked_address
from finelake.training.display.choice import progress_for
from finelake.training.display.lines import LogProgress
from finelake.training.display.terminal import TerminalProgress
from finelake.training.display.wording import elapsed_text
from finelake.training.failure import explain_end
from finelake.training.progress import JobReport

DATA_RAI = (
    "The provided training data failed RAI checks for harm types: [hate_fairness, self_harm]. Please fix the data and "
    "try again."
)
MODEL_RAI = (
    "This model is unable to be deployed. Model evaluation identified that this fine tuned model scores above "
    "acceptable thresholds for [Violence]. Please review your training data set and resubmit the job."
)
TOKEN = "Invalid file format. Example 6174 message contains an invalid token: <|fim_suffix|>"


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (DATA_RAI, "harmful content in the training data"),
        (MODEL_RAI, "safety questions badly"),
        (TOKEN, "conversations.special_tokens"),
        ("Something else.", "training.attempt"),
    ],
)
def test_a_failed_job_is_explained(message: str, remedy: str) -> None:
    error = explain_end("ftjob-1", "failed", {"code": "invalid_data", "message": message, "param": "training_file"})
    assert message in str(error)
    assert remedy in str(error)
    assert "ftjob-1 failed (invalid_data, training_file)" in str(error)


def test_a_cancelled_job_is_explained() -> None:
    assert "was cancelled" in str(explain_end("ftjob-1", "cancelled", None))
    assert "gave no reason" in str(explain_end("ftjob-1", "failed", None))


REPORT = JobReport("ftjob-1", "running", 75.0, step=120, steps=300, train_loss=1.25, valid_loss=None)


def test_a_terminal_shows_state_step_losses_and_time() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    progress = progress_for(console)
    assert isinstance(progress, TerminalProgress)
    with progress:
        progress.started("watch", "watch the job")
        progress.noted("Training started.")
        progress.job_changed(REPORT)
        progress.deployment_changed("shop-0a1b", "Creating")
    shown = console.file.getvalue()
    for text in ("ftjob-1", "running", "120/300", "1.2500", "0:01:1", "Training started.", "shop-0a1b: Creating"):
        assert text in shown


def test_a_log_says_changes_and_not_every_look(caplog: pytest.LogCaptureFixture) -> None:
    progress = progress_for(Console(file=io.StringIO(), force_terminal=False))
    assert isinstance(progress, LogProgress)
    with caplog.at_level(logging.INFO), progress:
        for elapsed in (1.0, 2.0, 3.0, 40.0):
            progress.job_changed(JobReport("ftjob-1", "running", elapsed))
        progress.job_changed(JobReport("ftjob-1", "succeeded", 41.0))
        for state in ("Accepted", "Accepted", "Succeeded"):
            progress.deployment_changed("shop", state)
    assert [record.message for record in caplog.records] == [
        "job ftjob-1: running, step -, train loss -, valid loss -, 0:00:01, left -, tokens billed -",
        "job ftjob-1: running, step -, train loss -, valid loss -, 0:00:40, left -, tokens billed -",
        "job ftjob-1: succeeded, step -, train loss -, valid loss -, 0:00:41, left -, tokens billed -",
        "deployment shop: Accepted",
        "deployment shop: Succeeded",
    ]


def test_elapsed_time_is_readable() -> None:
    assert elapsed_text(3725.9) == "1:02:05"


def test_a_secret_comes_from_its_place() -> None:
    reference = SecretRef(env="SHOP_KEY")
    assert resolve(reference, setting="service.api_key", environment={"SHOP_KEY": " k3y\n"}) == "k3y"
    with pytest.raises(ConfigError, match=r"service\.api_key points at environment variable SHOP_KEY"):
        resolve(reference, setting="service.api_key", environment={"SHOP_KEY": " "})


@pytest.mark.parametrize(
    ("address", "accepted"),
    [
        ("https://shop.openai.azure.com/", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("http://shop.openai.azure.com", False),
        ("http://127.0.0.1.example.com", False),
        ("shop.openai.azure.com", False),
        ("", False),
        (None, False),
    ],
)
def test_plain_http_stays_on_this_machine(address: str | None, *, accepted: bool) -> None:
    if accepted:
        assert checked_address(address, setting="service.endpoint", example="https://x") == str(address).rstrip("/")
        return
    with pytest.raises(ConfigError, match=r"service\.endpoint"):
        checked_address(address, setting="service.endpoint", example="https://x")


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({}, "service.endpoint is not set"),
        (
            {"endpoint": "https://shop.openai.azure.com", "api_key": {"env": "PATH"}},
            "service.subscription_id, .* not set",
        ),
        ({"kind": "openai"}, "service.api_key is not set"),
    ],
)
def test_what_is_missing_is_named(service: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        connect(Service.model_validate(service))
