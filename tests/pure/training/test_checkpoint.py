"""Which checkpoint is deployed, under which name, and where people see it."""

from __future__ import annotations

import pytest

from finelake.config.settings import Service
from finelake.services.portal import deployment_page, job_page
from finelake.training.checkpoint import Candidate, choose

TUNED = "gpt-4.1-mini-2025-04-14.ft-0a1b"


def candidates(*losses: tuple[float | None, float | None]) -> list[Candidate]:
    steps = [80, 90, 100][-len(losses) :]
    names = [TUNED if step == 100 else f"{TUNED}:ckpt-step-{step}" for step in steps]
    return [
        Candidate(model=name, step=step, valid_loss=valid, full_valid_loss=full)
        for name, step, (valid, full) in zip(names, steps, losses, strict=True)
    ]


def test_the_last_step_is_taken_unless_the_best_is_asked_for() -> None:
    found = choose(candidates((1.0, 0.5), (1.0, 0.4), (1.0, 0.6)), policy="last", tuned=TUNED)
    assert found is not None
    assert (found.model, found.step) == (TUNED, None)


@pytest.mark.parametrize(
    ("losses", "step"),
    [
        (((0.1, 0.5), (0.9, 0.4), (0.1, 0.6)), 90),
        (((0.9, None), (0.8, 0.4), (0.7, None)), None),
        (((0.6, None), (0.8, None), (0.7, None)), 80),
        (((None, 0.5), (None, 0.5), (None, 0.5)), None),
        (((None, None), (None, None), (None, None)), None),
    ],
)
def test_the_best_has_the_lowest_loss_of_one_kind(losses: tuple[tuple[float, float]], step: int | None) -> None:
    found = choose(candidates(*losses), policy="best", tuned=TUNED)
    assert found is not None
    assert found.step == step
    assert found.model == (TUNED if step is None else f"{TUNED}:ckpt-step-{step}")


def test_a_stopped_job_has_no_last_step_and_may_have_nothing() -> None:
    found = choose(candidates((0.5, None), (0.4, None), (0.6, None))[:2], policy="last", tuned=None)
    assert found is not None
    assert found.step == 90
    assert choose([], policy="best", tuned=None) is None


def test_pages_are_those_of_the_portal_and_a_rehearsal_has_none() -> None:
    account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a"
    azure = Service(endpoint="https://a.openai.azure.com", subscription_id="s", resource_group="g", account="a")
    assert job_page(azure, "ftjob-1") == f"https://ai.azure.com/resource/overview?wsid={account}"
    page = deployment_page(azure, "shop")
    assert page is not None
    assert page.startswith("https://ai.azure.com/resource/deployments/%2Fsubscriptions%2Fs%2F")
    assert page.endswith(f"%2Fdeployments%2Fshop?wsid={account}")
    local = azure.model_copy(update={"endpoint": "http://127.0.0.1:8040", "resource_manager": "http://127.0.0.1:8040"})
    assert (job_page(local, "ftjob-1"), deployment_page(local, "shop")) == (None, None)
    assert job_page(Service(kind="openai"), "ftjob-1") == "https://platform.openai.com/finetune/ftjob-1"


def test_a_checkpoint_whose_loss_is_no_number_has_none() -> None:
    found = Candidate.of_record({"model": TUNED, "step": 3, "valid_loss": float("nan"), "full_valid_loss": 0.5})
    assert (found.valid_loss, found.full_valid_loss) == (None, 0.5)
