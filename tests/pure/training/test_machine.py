"""Memory and time of training on a machine of one's own: exact counts, the formulas' sums, and the plan's refusal."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.http.training.setting import publish_lines, settings_for

from finelake.config.models import load_catalogue
from finelake.errors import ConfigError, InputError, PlanRefusedError
from finelake.training.data import read_training_data
from finelake.training.machine.duration import UTILIZATION, operations_per_token, seconds
from finelake.training.machine.footprint import Load, footprint
from finelake.training.machine.hardware import find_device, load_hardware
from finelake.training.machine.shape import Shape, read_shape
from finelake.training.plan.finding import Finding
from finelake.training.plan.gather import gather
from finelake.training.plan.known import Unread
from finelake.training.plan.make import JobPlan, make_plan

MODEL = "gpt-4.1-mini-2025-04-14"
VOCABULARY, HIDDEN, INNER, LAYERS = 1000, 64, 160, 3
LOAD = Load(tuning="full", batch=2, sequence=100, half=False, checkpointing=False, rank=8)


def write_model(folder: Path, *, layers: int = LAYERS, hidden: int = HIDDEN, tied: bool = True) -> int:
    """Write a Llama's config and the header of its weights, and give how many parameters it has."""
    sizes: dict[str, list[int]] = {"model.embed_tokens.weight": [VOCABULARY, hidden], "model.norm.weight": [hidden]}
    for at in range(layers):
        part = f"model.layers.{at}"
        sizes |= {f"{part}.self_attn.{name}_proj.weight": [hidden, hidden] for name in "qkvo"}
        sizes |= {f"{part}.mlp.{name}_proj.weight": [INNER, hidden] for name in ("gate", "up")}
        sizes |= {f"{part}.mlp.down_proj.weight": [hidden, INNER], f"{part}.input_layernorm.weight": [hidden]}
    if not tied:
        sizes["lm_head.weight"] = [VOCABULARY, hidden]
    header = {name: {"dtype": "F32", "shape": size, "data_offsets": [0, 0]} for name, size in sizes.items()}
    content = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(content)) + content)
    config = {
        "hidden_size": hidden,
        "intermediate_size": INNER,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 512,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return sum(math.prod(size) for size in sizes.values())


@pytest.fixture
def shape(tmp_path: Path) -> Shape:
    """The shape of the small model."""
    write_model(tmp_path / "model")
    return read_shape(tmp_path / "model")


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_counted_exactly_from_the_headers(tmp_path: Path, tied: bool) -> None:
    parameters = write_model(tmp_path, tied=tied)
    shape = read_shape(tmp_path)
    assert shape.parameters == parameters
    assert shape.tied is tied
    assert len(shape.linear) == 7 * LAYERS
    assert shape.in_linear == LAYERS * (4 * HIDDEN * HIDDEN + 3 * HIDDEN * INNER)
    assert shape.adapter_parameters(8) == LAYERS * 8 * (4 * 2 * HIDDEN + 3 * (HIDDEN + INNER))


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors"])
def test_a_folder_without_config_or_weights_is_named(tmp_path: Path, broken: str) -> None:
    write_model(tmp_path)
    (tmp_path / broken).unlink()
    with pytest.raises(InputError, match=str(tmp_path)):
        read_shape(tmp_path)


def test_full_training_takes_sixteen_bytes_a_parameter_and_adapters_little_more_than_the_weights(shape: Shape) -> None:
    full = footprint(shape, LOAD, overhead=0.0)
    assert full.weights + full.gradients + full.optimizer == 16 * shape.parameters
    half = footprint(shape, replace(LOAD, half=True), overhead=0.0)
    assert half.weights + half.gradients + half.optimizer == 18 * shape.parameters
    lora = footprint(shape, replace(LOAD, tuning="lora", half=True), overhead=0.0)
    assert lora.weights + lora.gradients + lora.optimizer == 2 * shape.parameters + 16 * shape.adapter_parameters(8)
    qlora = footprint(shape, replace(LOAD, tuning="qlora", half=True), overhead=0.0)
    assert qlora.weights < lora.weights
    assert qlora.gradients == lora.gradients


def test_activations_grow_with_tokens_and_shrink_by_checkpointing(shape: Shape) -> None:
    one = footprint(shape, LOAD, overhead=0.0)
    twice = footprint(shape, replace(LOAD, sequence=200), overhead=0.0)
    assert twice.activations == 2 * one.activations
    assert twice.logits == 2 * one.logits == 2 * 200 * VOCABULARY * 20
    assert footprint(shape, replace(LOAD, checkpointing=True), overhead=0.0).activations < one.activations
    assert one.total == sum((one.weights, one.gradients, one.optimizer, one.activations, one.logits))


def test_six_operations_a_parameter_and_four_where_weights_are_frozen(shape: Shape) -> None:
    matrices = shape.in_linear + HIDDEN * VOCABULARY
    attention = 2 * LAYERS * HIDDEN * LOAD.sequence
    assert operations_per_token(shape, LOAD) == 6 * matrices + 3 * attention
    assert operations_per_token(shape, replace(LOAD, tuning="lora")) == 4 * matrices + 2 * attention
    assert operations_per_token(shape, replace(LOAD, checkpointing=True)) == 8 * matrices + 4 * attention
    once = seconds(shape, LOAD, tokens=1000, peak=1e9, devices=1)
    assert once == 1000 * operations_per_token(shape, LOAD) / (1e9 * UTILIZATION)
    assert seconds(shape, LOAD, tokens=1000, peak=1e9, devices=4) == once / 4


def test_devices_have_sources_and_unknown_ones_are_named() -> None:
    facts = load_hardware()
    assert {one.source for one in facts.devices} <= set(facts.sources)
    device = find_device("h100-80gb", count=8, facts=facts)
    assert (device.memory, device.peak, device.count, device.half) == (80e9, 989e12, 8, True)
    assert "datasheet" in device.source
    with pytest.raises(ConfigError, match="'h1000', expected auto, cpu or one of h200, h100-80gb"):
        find_device("h1000", count=1, facts=facts)


def test_the_processor_is_measured() -> None:
    device = find_device("cpu", count=1, facts=load_hardware())
    assert device.memory > 1e8
    assert device.peak is not None
    assert device.peak > 1e8


def plan_of(folder: Path, **local: Any) -> JobPlan:
    """Plan the training of sixty small examples by a service on this machine."""
    line = json.dumps({"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hi."}]})
    lines = {"train": [line] * 60, "validation": [line] * 12, "test": [line] * 12}
    publish_lines(folder / "published", lines, run_id="curation-1")
    write_model(folder / "model")
    local = {"folder": str(folder / "hf"), "models": {MODEL: str(folder / "model")}} | local
    settings = settings_for(folder, url="").model_copy(update={})
    service = type(settings.service).model_validate({"kind": "huggingface", "huggingface": local})
    known = gather(
        settings=settings.model_copy(update={"service": service}),
        catalogue=load_catalogue(),
        data=read_training_data(folder / "published"),
        service=Unread("not asked"),
        patience=None,
        today=date(2026, 11, 22),
    )
    return make_plan(known)


def of(plan: JobPlan, check: str) -> list[Finding]:
    """Give the findings of a check."""
    return [one for _, one in plan.findings if one.check == check]


def test_a_plan_says_memory_and_time_and_no_prices(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, device="t4", tuning="full")
    (memory,), (time,) = of(plan, "memory"), of(plan, "training_time")
    assert memory.verdict == time.verdict == "ok"
    assert "GB on t4" in memory.limit
    assert "datasheet" in memory.source
    assert "30% of its peak" in time.found
    assert not of(plan, "training_price")
    assert not of(plan, "training_retirement")


def test_a_plan_that_cannot_fit_is_refused_by_name(tmp_path: Path) -> None:
    hardware = tmp_path / "hardware.yml"
    hardware.write_text(
        "sources: {own: a card of our own}\n"
        "devices: [{name: tiny, matches: [Tiny], gigabytes: 0.1, tflops: 1, source: own}]\n",
        encoding="utf-8",
    )
    plan = plan_of(tmp_path, device="tiny", hardware_file=str(hardware))
    (memory,) = of(plan, "memory")
    assert memory.verdict == "refuse"
    with pytest.raises(PlanRefusedError, match=r"memory: lora tuning of .* GB on tiny"):
        plan.require()


def test_weights_that_are_not_here_leave_memory_unknown(tmp_path: Path) -> None:
    (memory,) = of(plan_of(tmp_path, models={MODEL: "org/model-on-the-hub"}), "memory")
    assert memory.verdict == "unknown"


@pytest.mark.parametrize(
    ("written", "verdict"),
    [
        ({"run_id": "curation-1", "train": 60, "validation": 12}, "ok"),
        ({"run_id": "curation-0", "train": 60, "validation": 12}, "refuse"),
        ({"run_id": "curation-1", "train": 59, "validation": 12}, "refuse"),
        (None, "refuse"),
    ],
)
def test_shards_must_be_those_of_the_published_curation(
    tmp_path: Path, written: dict[str, Any] | None, verdict: str
) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    if written is not None:
        splits = {split: {"rows": written[split], "shards": []} for split in ("train", "validation")}
        manifest = {"format": "parquet-shards", "run_id": written["run_id"], "splits": splits}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (found,) = of(plan_of(tmp_path, shards=str(folder)), "shards")
    assert found.verdict == verdict
    assert ("Run `finelake shards`" in found.remedy) is (verdict == "refuse")
    assert not of(plan_of(tmp_path), "shards")
