"""Every way of tuning, on one process and on several, and what cannot be done."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support.training_process import finish, progress, write_job

FEW = {"epochs": 1, "batch_size": 4, "learning_rate": 0.003, "max_length": 512, "warmup": 0}


def job_of(tiny_model: Path, train: Path, **parts: Any) -> dict[str, Any]:
    return {
        "model": {"source": str(tiny_model)},
        "data": {"train": str(train), "validation": str(train)},
        "hyperparameters": FEW,
        "keep_checkpoints": 1,
    } | parts


@pytest.fixture(scope="module")
def alone(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, chat_files: dict[str, Path]
) -> tuple[Path, dict[str, Any]]:
    """All weights trained by one process."""
    folder = tmp_path_factory.mktemp("alone") / "job"
    write_job(folder, **job_of(tiny_model, chat_files["train"], tuning="full"))
    return folder, finish(folder)


def test_full_tuning_gives_a_whole_model_that_answers(alone: tuple[Path, dict[str, Any]]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, found = alone
    assert found["status"] == "succeeded"
    assert found["valid_loss"] < progress(folder)[0]["train_loss"] - 0.5
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    asked = [{"role": "user", "content": "Where is my lamp?"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    answered = model.generate(**prompt, max_new_tokens=4, do_sample=False)
    assert answered.shape[1] > prompt["input_ids"].shape[1]


@pytest.mark.parametrize("spread", ["node", "cluster"])
def test_two_processes_learn_what_one_learns(
    alone: tuple[Path, dict[str, Any]], tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path], spread: str
) -> None:
    folder = write_job(
        tmp_path / "job", **job_of(tiny_model, chat_files["train"], tuning="full", processes=2, spread=spread)
    )
    found = finish(folder)
    assert (found["status"], found["hardware"]["processes"]) == ("succeeded", 2)
    together, one = progress(folder), progress(alone[0])
    assert [line["tokens"] for line in together] == [line["tokens"] for line in one]
    # Sums of gradients in another order differ in the last bits of float32, and by little more after nine steps.
    for key in ("train_loss", "gradient_norm"):
        assert [line[key] for line in together] == pytest.approx([line[key] for line in one], rel=1e-3)
    assert found["valid_loss"] == pytest.approx(alone[1]["valid_loss"], rel=1e-3)


def test_preferences_begin_at_ln_2_and_fall(tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path]) -> None:
    folder = write_job(
        tmp_path / "job",
        **job_of(tiny_model, chat_files["pairs"], method="dpo", tuning="lora", hyperparameters={**FEW, "epochs": 2}),
    )
    found = finish(folder)
    lines = progress(folder)
    assert found["status"] == "succeeded"
    assert lines[0]["train_loss"] == pytest.approx(0.6931, abs=1e-3)
    assert found["valid_loss"] < 0.5
    assert found["valid_accuracy"] > 0.9
    assert (folder / "model" / "adapter_model.safetensors").exists()


def test_an_adapter_is_trained_further(tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path]) -> None:
    first = write_job(tmp_path / "first", **job_of(tiny_model, chat_files["train"], tuning="lora"))
    learnt = finish(first)
    model = {"source": str(tiny_model), "adapter": str(first / "model")}
    second = write_job(tmp_path / "second", **job_of(tiny_model, chat_files["train"], tuning="lora", model=model))
    found = finish(second)
    assert (learnt["status"], found["status"]) == ("succeeded", "succeeded")
    assert progress(second)[0]["train_loss"] < progress(first)[0]["train_loss"] - 0.3
    assert found["sha256"] != learnt["sha256"]


def test_what_is_too_long_is_told_and_left_out(tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path]) -> None:
    short = {**FEW, "max_length": 100, "max_steps": 2}
    folder = write_job(
        tmp_path / "job", **job_of(tiny_model, chat_files["train"], tuning="lora", hyperparameters=short)
    )
    found = finish(folder)
    dropped = [json.loads(line) for line in (folder / "dropped.jsonl").read_text().splitlines()]
    assert found["steps"] == 2
    assert found["data"]["reasons"] == {"example_too_long": len(dropped)}
    assert found["data"]["kept"] + len(dropped) == found["data"]["rows"] == 36
    assert all(line["tokens"] > 100 for line in dropped)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": {"source": "./nowhere"}}, "model_missing"),
        ({"data": {"train": "/nowhere.jsonl"}}, "data_missing"),
        ({"hyperparameters": {**FEW, "max_length": 5}}, "no_examples"),
        ({"hyperparameters": {**FEW, "max_length": 100, "too_long": "refuse"}}, "example_too_long"),
        ({"hyperparameters": {"learning": 1}}, "invalid_job"),
        ({"processes": 3}, "invalid_job"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(
    tmp_path: Path,
    tiny_model: Path,
    chat_files: dict[str, Path],
    change: dict[str, Any],
    code: str,
) -> None:
    from finelake.huggingface.train import run

    folder = write_job(tmp_path / "job", **job_of(tiny_model, chat_files["train"], tuning="lora") | change)
    found = run(folder)
    assert (found["status"], found["code"]) == ("failed", code)
    assert json.loads((folder / "result.json").read_text()) == found


def test_four_bits_are_trained_on_where_bitsandbytes_is(
    tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path]
) -> None:
    pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    folder = write_job(tmp_path / "job", **job_of(tiny_model, chat_files["train"], tuning="qlora"))
    found, lines = finish(folder), progress(folder)
    assert (found["status"], found["steps"]) == ("succeeded", 9)
    assert found["valid_loss"] < lines[0]["train_loss"] - 0.2
    assert (folder / "model" / "adapter_model.safetensors").exists()


def test_a_quantized_model_is_prepared_as_its_paper_says(tiny_model: Path) -> None:
    import torch

    bitsandbytes = pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    from finelake.huggingface.job import Job
    from finelake.huggingface.models import load_model

    model = load_model(
        Job.model_validate({"model": {"source": str(tiny_model)}, "data": {"train": "x"}, "tuning": "qlora"}),
        str(tiny_model),
    )
    linear = [module for module in model.modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]
    assert len(linear) == 7 * 2
    assert {module.weight.quant_type for module in linear} == {"nf4"}
    assert all(module.weight.quant_state.nested for module in linear)
    rest = [parameter for parameter in model.parameters() if parameter.dtype != torch.uint8]
    assert {parameter.dtype for parameter in rest} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_four_bits_are_computed_in_the_type_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    from finelake.huggingface.job import Job
    from finelake.huggingface.models import four_bits

    asked: dict[str, Any] = {"model": {"source": "x"}, "data": {"train": "x"}, "tuning": "qlora"}
    on_processor = four_bits(Job.model_validate(asked))
    assert on_processor.bnb_4bit_compute_dtype == torch.float32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    on_card = four_bits(Job.model_validate(asked))
    assert (on_card.load_in_4bit, on_card.bnb_4bit_quant_type, on_card.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert on_card.bnb_4bit_compute_dtype == torch.bfloat16
    whole = four_bits(Job.model_validate({**asked, "hyperparameters": {"dtype": "float32"}}))
    assert whole.bnb_4bit_compute_dtype == torch.float32


def test_four_bits_without_bitsandbytes_are_refused(
    tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from finelake.huggingface.train import run

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    folder = write_job(tmp_path / "job", **job_of(tiny_model, chat_files["train"], tuning="qlora"))
    assert run(folder)["code"] == "qlora_unavailable"


def test_a_folder_has_one_process_at_a_time(tmp_path: Path, tiny_model: Path, chat_files: dict[str, Path]) -> None:
    from finelake.errors import RunBusyError
    from finelake.huggingface.folder import JobFolder
    from finelake.huggingface.train import run

    folder = write_job(tmp_path / "job", **job_of(tiny_model, chat_files["train"]))
    with JobFolder(folder).held(), pytest.raises(RunBusyError, match="Another process trains"):
        run(folder)
