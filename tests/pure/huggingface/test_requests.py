"""What training process and chat server are asked: shards in place of lines, and the command lines of the servers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.http.training.setting import settings_for

from finelake.config.local_service import SERVE_VLLM, LocalService
from finelake.config.settings import Settings
from finelake.emulator.jobspec import JobSpec
from finelake.emulator.transformer.hosting import command_line
from finelake.emulator.transformer.request import training_request
from finelake.emulator.transformer.weights import Weights
from finelake.huggingface.shards import local_path
from finelake.services.huggingface import OWN

MODEL = "/models/tiny"


def spec(**transformers: Any) -> JobSpec:
    return JobSpec(
        model="tiny",
        training_file="file-1",
        validation_file="file-2",
        suffix=None,
        seed=7,
        epochs=2,
        batch_size=8,
        learning_rate_multiplier=None,
        training_type=None,
        metadata=None,
        method_sent=True,
        transformers=transformers,
    )


def data_of(asked: JobSpec, *, validation: Path | None = Path("/jobs/validation.jsonl")) -> dict[str, Any]:
    request = training_request(asked, weights=Weights(MODEL), train=Path("/jobs/train.jsonl"), validation=validation)
    data: dict[str, Any] = request["data"]
    return data


def test_lines_are_trained_on_unless_shards_are_named() -> None:
    assert data_of(spec()) == {"train": "/jobs/train.jsonl", "validation": "/jobs/validation.jsonl"}
    assert data_of(spec(shards="/data/shards")) == {"train": "/data/shards", "validation": "/data/shards"}
    assert data_of(spec(shards="/data/shards"), validation=None) == {"train": "/data/shards", "validation": None}


def test_a_job_is_asked_for_what_only_models_with_weights_have() -> None:
    assert set(LocalService.model_fields) >= OWN
    assert {"folder", "models", "serve", "serving", "register_as"}.isdisjoint(OWN)


def test_shards_are_those_that_the_settings_write(tmp_path: Path) -> None:
    values = settings_for(tmp_path, url="").model_dump()
    local = {"models": {"tiny": MODEL}, "shards": "/data/shards"}
    values["service"] = {"kind": "huggingface", "huggingface": local}
    with pytest.raises(ValueError, match=r"shards is not the folder that shards\.folder names"):
        Settings.model_validate(values)
    values["shards"] = {"folder": "/data/shards"}
    assert Settings.model_validate(values).service.huggingface is not None


def test_serving_needs_a_registered_model_and_the_parameter_that_it_knows(tmp_path: Path) -> None:
    values = settings_for(tmp_path, url="").model_dump()
    local: dict[str, Any] = {"models": {"tiny": MODEL}, "serving": {}}
    values["service"] = {"kind": "huggingface", "huggingface": local}
    with pytest.raises(ValueError, match="serving needs register_as"):
        Settings.model_validate(values)
    local["register_as"] = "main.support.desk"
    Settings.model_validate(values)
    values["evaluation"]["length_parameter"] = "max_completion_tokens"
    with pytest.raises(ValueError, match=r"needs evaluation\.length_parameter: max_tokens"):
        Settings.model_validate(values)
    values["evaluation"]["length_parameter"] = "max_tokens"
    for name in ("main.desk", "main.support.desk.more", "main/desk", ""):
        with pytest.raises(ValueError, match="register_as"):
            Settings.model_validate(
                {**values, "service": {**values["service"], "huggingface": local | {"register_as": name}}}
            )
    with pytest.raises(ValueError, match="host and token belong together"):
        LocalService.model_validate(local | {"serving": {"host": "https://adb-1.azuredatabricks.net"}})


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:/data/shards/a b.parquet", "/data/shards/a b.parquet"),
        ("file:///data/a.parquet", "/data/a.parquet"),
        ("/data/a.parquet", "/data/a.parquet"),
        ("dbfs" + ":/Volumes/main/support/files/shards/a.parquet", "/Volumes/main/support/files/shards/a.parquet"),
    ],
)
def test_what_spark_lists_is_found_on_the_machine(uri: str, path: str) -> None:
    assert local_path(uri) == Path(path)


def test_the_command_of_vllm_names_the_weights_and_the_port() -> None:
    assert LocalService(models={"tiny": MODEL}, serve="vllm").command == SERVE_VLLM
    line = command_line(SERVE_VLLM, model=MODEL, port="8123")
    # `vllm serve [model_tag] ...`: vllm/entrypoints/cli/serve.py, openai/cli_args.py and engine/arg_utils.py.
    assert line[:3] == ["vllm", "serve", MODEL]
    options = line[3:]
    assert dict(zip(options[0:6:2], options[1:6:2], strict=True)) == {
        "--host": "127.0.0.1",
        "--port": "8123",
        "--generation-config": "vllm",
    }
    assert options[6:] == ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]


def test_the_command_of_transformers_names_this_python_and_the_port() -> None:
    line = command_line(LocalService(models={"tiny": MODEL}).command, model=MODEL, port="8123")
    assert line[:4] == [sys.executable, "-m", "transformers.cli.transformers", "serve"]
    assert line[-2:] == ["--port", "8123"]
    own = LocalService(models={"tiny": MODEL}, serve=("my-server", "{model}", "--port={port}")).command
    assert command_line(own, model=MODEL, port="1") == ["my-server", MODEL, "--port=1"]
