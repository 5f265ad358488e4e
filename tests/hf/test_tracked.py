"""A trained model in MLflow: what is written, registered once, served as a chat, and trained on from the registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from finelake.config.tracking import Tracking
from finelake.errors import InputError
from support.chats_to_learn import chats
from support.training_process import finish, progress, write_job

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")

FEW = {"epochs": 1, "batch_size": 12, "learning_rate": 0.003, "max_length": 512, "warmup": 0}
TUNED = "tiny:ft-shop-1"
QUESTION = chats(1)[0]["messages"][:2]


@dataclass(frozen=True, slots=True)
class Registered:
    """An adapter that was trained, merged and registered twice, and what each time gave."""

    folder: Path
    tracking: Tracking
    trained: dict[str, Any]
    found: list[dict[str, str | None]]


@pytest.fixture(scope="module")
def registered(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, chat_files: dict[str, Path]
) -> Iterator[Registered]:
    """One training in a registry of its own."""
    from finelake.huggingface.logged import log_model

    place = tmp_path_factory.mktemp("registered")
    folder = write_job(
        place / "job",
        model={"source": str(tiny_model)},
        data={"train": str(chat_files["train"]), "validation": str(chat_files["validation"])},
        hyperparameters=FEW,
    )
    tracking = Tracking(enabled=True, folder=str(place / "mlflow"))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        with pytest.raises(InputError, match="no training that has succeeded"):
            log_model(folder, tracking=tracking, project="open", run="r1")
        trained = finish(folder)
        options: dict[str, Any] = {"tracking": tracking, "project": "open", "run": "r1", "registered_as": "shop"}
        found = [log_model(folder, **options), log_model(folder, model=TUNED, **options)]
        yield Registered(folder, tracking, trained, found)


def test_a_training_is_logged_with_its_numbers_and_data(registered: Registered) -> None:
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("open").experiment_id])
    assert run.data.params["job.hyperparameters.epochs"] == "1.0"
    assert registered.trained["sha256"] in run.data.tags["finelake.sha256"]
    losses = {one.step: one.value for one in client.get_metric_history(run.info.run_id, "train_loss")}
    assert losses == {line["step"]: line["train_loss"] for line in progress(registered.folder)}
    assert run.data.metrics["tokens_per_second"] > 0
    assert {item.dataset.name for item in run.inputs.dataset_inputs} == {"train", "validation"}


def test_a_model_is_registered_once_and_found_by_the_name_it_is_deployed_under(registered: Registered) -> None:
    from finelake.huggingface.registry import version_of

    assert [(one["name"], one["version"]) for one in registered.found] == [("shop", "1")] * 2
    assert version_of(TUNED, registered_as="shop", tracking=registered.tracking) == ("shop", "1")
    assert version_of("another", registered_as="shop", tracking=registered.tracking) is None
    info = mlflow.models.get_model_info("models:/shop/1")
    assert "messages" in [column.name for column in info.signature.inputs]
    assert "choices" in [column.name for column in info.signature.outputs]
    needed = Path(mlflow.artifacts.download_artifacts("models:/shop/1/requirements.txt")).read_text(encoding="utf-8")
    assert "torch==" in needed
    assert "+" not in needed


def answered(body: dict[str, Any]) -> ChatCompletion:
    """Ask the registered model through MLflow's own scoring server, as a serving endpoint does."""
    from mlflow.pyfunc import load_model, scoring_server

    model = load_model("models:/shop/1")
    told = scoring_server.invocations(json.dumps(body), "application/json", model, model.metadata.get_input_schema())
    assert told.status == 200
    return ChatCompletion.model_validate_json(told.response)


@pytest.mark.usefixtures("registered")
def test_the_registered_model_answers_chat_completions_as_transformers_does() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    done = answered({"messages": QUESTION, "max_tokens": 12, "temperature": 0, "seed": 7})
    (place,) = Path(mlflow.artifacts.download_artifacts("models:/shop/1")).rglob("config.json")
    model, tokenizer = (kind.from_pretrained(place.parent) for kind in (AutoModelForCausalLM, AutoTokenizer))
    prompt = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    expected = model.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert done.choices[0].message.content == tokenizer.decode(expected, skip_special_tokens=True)
    assert done.usage is not None
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (prompt["input_ids"].shape[1], len(expected))
    assert done.choices[0].finish_reason in {"stop", "length"}


@pytest.mark.usefixtures("registered")
def test_an_answer_ends_where_the_request_says() -> None:
    whole = answered({"messages": QUESTION, "max_tokens": 12, "temperature": 0})
    text = whole.choices[0].message.content or ""
    assert len(text) > 3
    cut = answered({"messages": QUESTION, "max_tokens": 12, "temperature": 0, "stop": [text[2:4]]})
    assert cut.choices[0].message.content == text[: text.index(text[2:4])]
    one = answered({"messages": QUESTION, "max_tokens": 1, "temperature": 0})
    assert one.usage is not None
    assert (one.usage.completion_tokens, one.choices[0].finish_reason) == (1, "length")


@pytest.mark.usefixtures("registered")
def test_it_is_trained_further_from_the_registry(
    tmp_path: Path, chat_files: dict[str, Path], registered: Registered
) -> None:
    again = write_job(
        tmp_path / "again",
        model={"source": "models:/shop/1"},
        data={"train": str(chat_files["train"])},
        hyperparameters=FEW | {"max_steps": 1},
    )
    second = finish(again, MLFLOW_TRACKING_URI=mlflow.get_tracking_uri())
    assert second["status"] == "succeeded"
    # It begins where the merged adapter had come to, not where the base began.
    assert progress(again)[0]["train_loss"] < progress(registered.folder)[0]["train_loss"] - 0.2


def test_calls_are_read_from_what_the_model_writes() -> None:
    from finelake.huggingface.served import _response

    call = '{"name": "find_order", "arguments": {"order": "4711"}}'
    told = _response(f"I look.\n<tool_call>\n{call}\n</tool_call>", finished=True, sizes=(3, 4)).to_dict()
    (choice,) = told["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "I look.")
    function = choice["message"]["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("find_order", {"order": "4711"})
    broken = _response("<tool_call>{not json}</tool_call>", finished=True, sizes=(3, 4)).to_dict()["choices"][0]
    assert (broken["finish_reason"], broken["message"]["content"]) == ("stop", "<tool_call>{not json}</tool_call>")
