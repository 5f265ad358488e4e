"""MLflow: one run for each training run, and nothing doubled however often it is written."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.http.training.setting import publish_examples

from finelake.config.settings import Settings
from finelake.config.tracking import Tracking
from finelake.evaluation.statistics import Interval, PairedDifference
from finelake.tracking import track
from finelake.tracking.store import Metric, Source, TrackedRun, open_run
from finelake.training.data import read_training_data
from finelake.training.events import Event, Measurement

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def tracking(tmp_path: Path) -> Tracking:
    return Tracking(enabled=True, folder=str(tmp_path / "mlflow"))


@pytest.fixture
def client(tracking: Tracking) -> Any:
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    open_run(tracking, project="shop", run="first")
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{tracking.folder}/mlflow.db")


def metric(step: int, value: float = 1.5) -> Metric:
    return Metric(key="train_loss", value=value, step=step, at=1000 * step)


@pytest.mark.usefixtures("client")
def test_the_same_training_run_is_the_same_mlflow_run(tracking: Tracking) -> None:
    first = open_run(tracking, project="shop", run="0123")
    assert open_run(tracking, project="shop", run="0123").run_id == first.run_id
    assert open_run(tracking, project="shop", run="4567").run_id != first.run_id


def test_what_is_written_again_is_not_doubled(tracking: Tracking, client: Any, tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    file.write_text("{}", encoding="utf-8")
    for start in range(2):
        run = open_run(tracking, project="shop", run="0123")
        run.add_params({"model": "m", "training.epochs": 2})
        run.add_metrics([metric(1), metric(10), metric(20 + start), metric(30, math.nan), metric(1, 9.0)])
        run.add_sources([Source(name="train.jsonl", digest="ab" * 32, place="/data/train.jsonl", context="train")])
        run.add_model("shop", tags={"finelake.tuned_model": "m.ft-1"})
        run.set_tags({"finelake.job_id": "ftjob-1", "finelake.portal": None})
        run.add_files([file, tmp_path / "absent.html"])
        run.end()
    found = client.get_run(run.run_id)
    history = client.get_metric_history(run.run_id, "train_loss")
    assert sorted((one.step, one.value) for one in history) == [(1, 1.5), (10, 1.5), (20, 1.5), (21, 1.5)]
    assert found.data.params == {"model": "m", "training.epochs": "2"}
    assert found.data.tags["finelake.job_id"] == "ftjob-1"
    assert "finelake.portal" not in found.data.tags
    assert found.info.status == "FINISHED"
    assert [one.dataset.name for one in found.inputs.dataset_inputs] == ["train.jsonl"]
    assert [one.path for one in client.list_artifacts(run.run_id)] == ["manifest.json"]
    models = client.search_logged_models([found.info.experiment_id])
    assert [(one.name, one.source_run_id) for one in models] == [("shop", run.run_id)]


def settings_of(folder: Path, tracking: Tracking) -> Settings:
    publish_examples(folder / "published")
    return Settings.model_validate(
        {
            "project": "shop",
            "model": "gpt-4.1-mini-2025-04-14",
            "source": {"table": "t", "columns": {"turn_index": "n"}},
            "output": {"folder": str(folder / "published")},
            "tracking": tracking.model_dump(),
        }
    )


def test_a_run_that_trains_is_written_while_it_trains(tracking: Tracking, client: Any, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tracking)
    data = read_training_data(tmp_path / "published")
    run = track.begin(settings, data, run="0123")
    assert isinstance(run, TrackedRun)
    moment = SimpleNamespace(timestamp=lambda: 7.0)
    events = [Event("e", moment, "info", "", Measurement(step=10, train_loss=0.5, valid_loss=0.75))]
    for _ in range(2):
        track.LiveMetrics(run).told(events)
    found = client.get_run(run.run_id)
    assert (found.data.metrics["train_loss"], found.data.metrics["valid_loss"]) == (0.5, 0.75)
    assert len(client.get_metric_history(run.run_id, "valid_loss")) == 1
    assert found.data.params["training.epochs"] == "auto"
    assert found.data.params["files.train.sha256"] == data.train.sha256
    assert {one.dataset.digest for one in found.inputs.dataset_inputs} >= {data.train.sha256[:36]}
    assert "privacy.key" not in found.data.params


def test_an_evaluation_is_added_to_the_run_that_trained(tracking: Tracking, client: Any, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tracking)
    chrf = PairedDifference(
        items=30, groups=20, base_mean=12.0, tuned_mean=40.0, difference=28.0, interval=Interval(20.0, 35.0)
    )
    verdict = SimpleNamespace(decision="promote", reasons=("It is better.",))
    evaluation: Any = SimpleNamespace(
        run_id="0123", evaluation_id="e1", verdict=verdict, parts=[("test", {"chrf": chrf})]
    )
    before = track.begin(settings, read_training_data(tmp_path / "published"), run="0123")
    for name in ("comparison.json", "evaluation.html"):
        (tmp_path / "published" / name).write_text("{}", encoding="utf-8")
    for _ in range(2):
        track.evaluated(settings, evaluation)
    assert before is not None
    found = client.get_run(before.run_id)
    assert found.data.metrics["test/chrf/change"] == 28.0
    assert found.data.metrics["test/chrf/change_low"] == 20.0
    assert found.data.tags["finelake.verdict"] == "promote"
    kept = {one.path for one in client.list_artifacts(before.run_id)}
    assert kept == {"manifest.json", "comparison.json"}


def test_a_store_that_is_away_costs_no_training_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    occupied = tmp_path / "a-file"
    occupied.write_text("", encoding="utf-8")
    settings = settings_of(tmp_path, Tracking(enabled=True, folder=str(occupied / "mlflow")))
    data = read_training_data(tmp_path / "published")
    assert track.begin(settings, data, run="0123") is None
    assert "MLflow could not be written" in caplog.text
    assert track.begin(settings.model_copy(update={"tracking": Tracking()}), data, run="0123") is None
