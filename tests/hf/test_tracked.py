"""A trained model in MLflow: what is written, registered once, and trained on from the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from finelake.config.tracking import Tracking
from finelake.errors import InputError
from support.training_process import finish, progress, write_job

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")

FEW = {"epochs": 1, "batch_size": 12, "learning_rate": 0.003, "max_length": 512, "warmup": 0}


def test_a_training_is_logged_and_its_model_registered_and_used_again(
    tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from finelake.huggingface.tracked import log_model

    monkeypatch.chdir(tmp_path)
    folder = write_job(
        tmp_path / "job",
        model={"source": str(tiny_model)},
        data={"train": str(chat_files["train"]), "validation": str(chat_files["validation"])},
        hyperparameters=FEW,
    )
    tracking = Tracking(enabled=True, folder=str(tmp_path / "mlflow"))
    with pytest.raises(InputError, match="no training that has succeeded"):
        log_model(folder, tracking=tracking, project="open", run="r1")
    trained = finish(folder)

    found = log_model(folder, tracking=tracking, project="open", run="r1", registered_as="shop")

    assert (found["name"], found["version"]) == ("shop", "1")
    assert log_model(folder, tracking=tracking, project="open", run="r1", registered_as="shop")["version"] == "1"
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("open").experiment_id])
    assert run.data.params["job.hyperparameters.epochs"] == "1.0"
    assert trained["sha256"] in run.data.tags["finelake.sha256"]
    losses = {one.step: one.value for one in client.get_metric_history(run.info.run_id, "train_loss")}
    assert losses == {line["step"]: line["train_loss"] for line in progress(folder)}
    assert run.data.metrics["tokens_per_second"] > 0
    assert {item.dataset.name for item in run.inputs.dataset_inputs} == {"train", "validation"}
    signature = mlflow.models.get_model_info("models:/shop/1").signature
    assert "messages" in [column.name for column in signature.inputs]

    again = write_job(
        tmp_path / "again",
        model={"source": "models:/shop/1"},
        data={"train": str(chat_files["train"])},
        hyperparameters=FEW,
    )
    second = finish(again, MLFLOW_TRACKING_URI=mlflow.get_tracking_uri())
    assert second["status"] == "succeeded"
    # It begins where the merged adapter had come to, not where the base began.
    assert progress(again)[0]["train_loss"] < progress(folder)[0]["train_loss"] - 0.2
