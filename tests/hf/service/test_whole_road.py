"""The whole road on a tiny model: trained by a process, chosen, deployed, asked, compared with its base."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.hf.service.conftest import Road
from tests.hf.service.setting import Seen, ended, local_settings, publish_chats

from finelake.errors import PlanRefusedError
from finelake.evaluation.run import evaluate_run
from finelake.lineage.listing import list_runs
from finelake.services.connect import connect
from finelake.services.local import find_service
from finelake.training.driver import train
from support.chats_to_learn import chats

pytestmark = [pytest.mark.http, pytest.mark.spark]

QUESTION = chats(1)[0]["messages"][:2]
SAID = {"The", "Your", "It", "arrives", "left", "is", "in", "days", "on", "day"}


def test_the_best_checkpoint_is_deployed_and_answers_as_it_learned(road: Road) -> None:
    settings, outcome = road.settings, road.outcome
    with connect(settings.service) as service:
        checkpoints = list(service.checkpoints(outcome.job_id))
        events = [event.message for event in service.events(outcome.job_id)]
        base, tuned = (
            service.client.chat.completions.create(model=name, messages=QUESTION, max_tokens=24, temperature=0)
            for name in (outcome.base_deployment, outcome.deployment)
        )
    losses = {one.fine_tuned_model_checkpoint: one.metrics.full_valid_loss for one in checkpoints}
    assert len(losses) == 5
    assert outcome.deployed_model == min(losses, key=lambda name: losses[name] or 99.0)
    assert any(message.startswith("Step 10: training loss=") for message in events)
    words = [set((answer.choices[0].message.content or "").split()) for answer in (base, tuned)]
    assert not words[0] & SAID
    assert words[1] & SAID
    assert tuned.usage is not None
    assert 0 < tuned.usage.completion_tokens <= 24
    assert base.system_fingerprint != tuned.system_fingerprint


def test_the_tuned_model_is_compared_and_wins(spark: SparkSession, road: Road) -> None:
    found = evaluate_run(spark, road.settings)
    chrf = found.metrics["chrf"]
    assert found.verdict.decision == "promote"
    assert chrf.interval is not None
    assert chrf.interval.low > 0
    assert {role: own.failures for role, own in found.answers.items()} == {"base": {}, "tuned": {}}
    kinds = {run.kind: run.state for run in list_runs(spark, road.settings)}
    assert kinds["training"] == "finished"
    assert "evaluation" in kinds


def test_a_run_that_has_ended_is_not_done_again(spark: SparkSession, road: Road) -> None:
    again = train(spark, road.settings, progress=(seen := Seen()))
    assert again.finished_before
    assert seen.finished_steps == []
    with connect(road.settings.service) as service:
        assert [job.id for job in service.jobs()] == [road.outcome.job_id]


def test_what_cannot_fit_is_refused_before_anything_is_sent(
    spark: SparkSession, tmp_path: Path, tiny_model: Path
) -> None:
    hardware = tmp_path / "hardware.yml"
    hardware.write_text(
        "sources: {own: a card of our own}\n"
        "devices: [{name: small, matches: [Small], gigabytes: 0.5, tflops: 1, source: own}]\n",
        encoding="utf-8",
    )
    settings = local_settings(tmp_path, tiny_model, huggingface={"device": "small", "hardware_file": str(hardware)})
    publish_chats(tmp_path / "published")
    with ended(tmp_path):
        with pytest.raises(PlanRefusedError, match=r"memory: full tuning of [\d,]+ parameters"):
            train(spark, settings)
        assert find_service(tmp_path / "hf" / "service") is not None
        with connect(settings.service) as service:
            assert not list(service.files())
            assert not list(service.jobs())
