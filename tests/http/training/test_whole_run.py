"""A whole training run against the service as a real process, with a real Delta run log."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.http.training.setting import KEY, KEY_VARIABLE, publish_examples, running_service, settings_for

from finelake.tables.aliases import AliasEntry
from finelake.training.driver import train
from finelake.training.outcome import TrainingOutcome
from finelake.training.progress import JobReport, Progress
from finelake.training.promotion.desk import Promoted
from finelake.training.promotion.run import aliases, promote

pytestmark = [pytest.mark.http, pytest.mark.spark, pytest.mark.filterwarnings("ignore:::mlflow")]


class Recorder(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.reports: list[JobReport] = []
        self.notes: list[str] = []
        self.started_steps: list[str] = []

    def started(self, step: str, detail: str) -> None:
        assert detail
        self.started_steps.append(step)

    def noted(self, message: str) -> None:
        self.notes.append(message)

    def job_changed(self, report: JobReport) -> None:
        self.reports.append(report)


class Interrupter(Progress):
    """Presses Ctrl-C at the first look at the job."""

    def job_changed(self, report: JobReport) -> None:
        raise KeyboardInterrupt(report.state)


def test_a_run_that_is_interrupted_once_ends_with_a_deployment_that_answers(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    publish_examples(tmp_path / "published")
    progress = Recorder()
    with running_service(tmp_path / "service") as service:
        settings = settings_for(
            tmp_path,
            url=service.url,
            tracking={"enabled": True, "folder": str(tmp_path / "mlflow")},
            promotion={"override": "No evaluation in this test."},
        )
        with pytest.raises(KeyboardInterrupt):
            train(spark, settings, progress=Interrupter())
        assert f"Job {service.jobs()[0]} goes on at {service.url}: run the same again" in caplog.text
        outcome = train(spark, settings, progress=progress)
        answer = service.client.chat.completions.create(
            model=outcome.deployment, messages=[{"role": "user", "content": "Where is order train-1003?"}]
        )
        again = train(spark, settings, progress=progress)
        assert service.jobs() == [outcome.job_id]
        assert len(service.file_names()) == 2
        promoted = [promote(spark, settings) for _ in range(2)]
    assert answer.choices[0].message.content
    assert (outcome.finished_before, again.finished_before) == (False, True)
    assert again.deployment == outcome.deployment == f"shop-{outcome.run_id[:8]}"
    assert outcome.base_deployment == "shop-base"
    assert outcome.run_id in outcome.fine_tuned_model
    assert outcome.trained_tokens
    assert progress.started_steps == ["watch", "deploy", "base", "smoke"]
    assert progress.reports[-1].state == "succeeded"
    assert (progress.reports[-1].step, progress.reports[-1].steps) == (10, 12)
    assert progress.reports[-1].train_loss is not None
    _alias_is_one_row(promoted, aliases(spark, settings), outcome)
    _tracked_once(tmp_path / "mlflow" / "mlflow.db", outcome)
    _tables_are_whole(spark, tmp_path / "tables", run_id=outcome.run_id, job_id=outcome.job_id)


def _alias_is_one_row(promoted: list[Promoted], rows: list[AliasEntry], outcome: TrainingOutcome) -> None:
    assert [one.changed for one in promoted] == [True, False]
    assert [(row.alias, row.sequence, row.model, row.run_id) for row in rows] == [
        ("production", 1, outcome.fine_tuned_model, outcome.run_id)
    ]
    assert rows[0].deployment == f"shop-production-{outcome.run_id[:8]}-global" == promoted[0].entry.deployment
    assert (rows[0].verdict, rows[0].reason) == ("none", "No evaluation in this test.")


def _tracked_once(database: Path, outcome: TrainingOutcome) -> None:
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}")
    experiment = client.get_experiment_by_name("shop")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["finelake.run_id"] == outcome.run_id
    assert run.data.tags["finelake.tuned_model"] == outcome.fine_tuned_model
    history = client.get_metric_history(run.info.run_id, "train_loss")
    assert sorted(one.step for one in history) == list(range(1, 13))
    (model,) = client.search_logged_models([experiment.experiment_id])
    assert (model.source_run_id, model.tags["finelake.job_id"]) == (run.info.run_id, outcome.job_id)


def _tables_are_whole(spark: SparkSession, tables: Path, *, run_id: str, job_id: str) -> None:
    events = spark.read.format("delta").load(str(tables / "run_events")).collect()
    assert {(row["run_id"], row["job_id"]) for row in events} == {(run_id, job_id)}
    told = [row["event_id"] for row in events if row["origin"] == "event"]
    assert len(told) == len(set(told)) > 0
    assert any(row["message"] == "Job succeeded." for row in events)
    measured = {row["step"]: row for row in events if row["origin"] == "result_file"}
    assert measured[12]["train_loss"] is not None
    checkpoints = spark.read.format("delta").load(str(tables / "checkpoints")).collect()
    assert sorted(row["step"] for row in checkpoints) == [6, 12]
    log = spark.read.format("delta").load(str(tables / "runs")).collect()
    own = sorted((row for row in log if row["run_id"] == run_id), key=lambda row: row["sequence"])
    assert [row["sequence"] for row in own] == list(range(1, len(own) + 1))
    results = [row["step"] for row in own if row["entry"] == "result"]
    assert results == ["plan", "origin", "upload", "job", "watch", "deploy", "base", "smoke"]
    intents = [row["step"] for row in log if row["entry"] == "intent"]
    assert sorted(intents) == ["base", "deploy", "file", "file", "job"]
    assert len({row["run_id"] for row in log}) == 3
