"""The whole road to a serving endpoint: trained, registered, deployed by databricks-sdk, and asked through it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.hf.service.setting import Seen, ended, local_settings, publish_chats
from tests.http.training.sparkless import drive_without_spark

from finelake.config.settings import Settings
from finelake.services.connect import connect
from finelake.training.outcome import TrainingOutcome
from support.chats_to_learn import chats
from support.serving import Told
from support.workspace import TOKEN, State, serve_workspace

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
pytest.importorskip("databricks.sdk", reason="needs the extra databricks")
pytestmark = pytest.mark.http

QUESTION = chats(1)[0]["messages"][:2]


@dataclass(frozen=True, slots=True)
class Served:
    """A run whose models a workspace serves, and what was seen on the way."""

    settings: Settings
    outcome: TrainingOutcome
    workspace: State
    journals: Path
    notes: list[str]


class Interrupted(Seen):
    """Presses Ctrl-C as soon as the endpoint was asked for, and keeps the notes."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def noted(self, text: str) -> None:
        self.notes.append(text)

    def deployment_changed(self, name: str, state: str) -> None:
        if name and state == "Updating":
            raise KeyboardInterrupt


def answered(name: str, version: str, body: bytes) -> Told:
    """Answer as a serving endpoint does: the registered version, loaded by MLflow, behind its own scoring server."""
    from mlflow.pyfunc import load_model, scoring_server

    model = load_model(f"models:/{name}/{version}")
    told = scoring_server.invocations(body.decode(), "application/json", model, model.metadata.get_input_schema())
    found: dict[str, Any] = json.loads(told.response)
    return told.status, found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Served]:
    """A run whose driver ends between asking for the endpoint and recording it, and is started again."""
    folder = tmp_path_factory.mktemp("served")
    publish_chats(folder / "published", train=24, validation=10)
    settings = local_settings(
        folder,
        tiny_model,
        huggingface={"tuning": "lora", "register_as": "desk", "serving": {"workload_type": "CPU"}},
        training={"epochs": 2},
        tracking={"folder": str(folder / "mlflow")},
    )
    with serve_workspace() as (address, workspace), pytest.MonkeyPatch.context() as patched, ended(folder):
        patched.setenv("DATABRICKS_HOST", address)
        patched.setenv("DATABRICKS_TOKEN", TOKEN)
        patched.setenv("DATABRICKS_CONFIG_FILE", str(folder / "none"))
        patched.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
        patched.chdir(folder)
        workspace.serving.versions = {("desk", "1"), ("desk_base", "1")}
        workspace.serving.answer = answered
        with pytest.raises(KeyboardInterrupt):
            drive_without_spark(settings, folder / "journals", progress=(seen := Interrupted()))
        outcome = drive_without_spark(settings, folder / "journals")
        yield Served(settings, outcome, workspace, folder / "journals", seen.notes)


def test_one_endpoint_each_serves_the_registered_tuned_and_base_model(served: Served) -> None:
    asked = [(one["name"], one["config"]["served_entities"][0]) for one in served.workspace.serving.asked]
    assert [(name, entity["entity_name"], entity["entity_version"]) for name, entity in asked] == [
        (served.outcome.deployment, "desk", "1"),
        (served.outcome.base_deployment, "desk_base", "1"),
    ]
    assert any(note == f"desk version 1 is {served.outcome.deployed_model}" for note in served.notes)
    with connect(served.settings.service, tracking=served.settings.tracking) as service:
        assert service.deployments is not None
        there = service.deployments.find(served.outcome.deployment)
        assert there is not None
        assert (there.model, there.state) == (served.outcome.deployed_model, "Succeeded")


def test_the_tuned_model_answers_through_the_endpoint_otherwise_than_its_base(served: Served) -> None:
    with connect(served.settings.service, tracking=served.settings.tracking) as service:
        tuned, base = (
            service.chat_client.chat.completions.create(model=name, messages=QUESTION, max_tokens=12, temperature=0)
            for name in (served.outcome.deployment, served.outcome.base_deployment)
        )
        assert service.may_sleep
    assert tuned.choices[0].message.content != base.choices[0].message.content
    assert tuned.usage is not None
    assert 0 < tuned.usage.completion_tokens <= 12


def test_a_run_that_has_ended_asks_for_nothing_and_a_lost_endpoint_is_made_again(served: Served) -> None:
    asked = len(served.workspace.serving.asked)
    assert drive_without_spark(served.settings, served.journals).finished_before
    assert len(served.workspace.serving.asked) == asked
    del served.workspace.serving.endpoints[served.outcome.deployment]
    assert drive_without_spark(served.settings, served.journals).finished_before
    assert len(served.workspace.serving.asked) == asked + 1
    assert {one.version for one in mlflow.MlflowClient().search_model_versions("name = 'desk'")} == {1}


def test_no_token_is_in_a_journal_or_log(served: Served) -> None:
    assert served.settings.service.huggingface is not None
    state = Path(served.settings.service.huggingface.folder)
    files = [path for folder in (served.journals, state) for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "register.log" for path in files)
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
