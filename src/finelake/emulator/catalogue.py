"""The base models the service knows.

Sources: training context per example and model list, Azure "Fine-tuning models" tables of late 2025 and March 2026;
inference context, the models' public descriptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Manner = Literal["fair", "first"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseModel:
    """One base model; both context limits are in tokens. `judge` is set for the judges, which cannot be tuned.

    `training_until` and `answers_until` are days that no rehearsal reaches. `source` is set for models with weights on
    this machine (`transformer/models.py`), and `serve` is the command of their chat server.
    """

    id: str
    alias: str
    version: str
    training_context: int
    context: int
    learning_rate_multiplier: float
    encoding: str = "o200k_base"
    judge: Manner | None = None
    methods: tuple[str, ...] = ("supervised", "dpo")
    vision: bool = False
    training_until: str = "2099-12-31"
    answers_until: str = "2099-12-31"
    source: str | None = None
    serve: tuple[str, ...] = ()


def _model(
    alias: str, version: str, *, training: int, context: int, rate: float, vision: bool = False, dpo: bool = True
) -> BaseModel:
    return BaseModel(
        id=f"{alias}-{version}",
        alias=alias,
        version=version,
        training_context=training,
        context=context,
        learning_rate_multiplier=rate,
        vision=vision,
        methods=("supervised", "dpo") if dpo else ("supervised",),
    )


BASE_MODELS = (
    _model("gpt-4.1", "2025-04-14", training=65_536, context=1_047_576, rate=1.0, vision=True),
    _model("gpt-4.1-mini", "2025-04-14", training=65_536, context=1_047_576, rate=1.0),
    _model("gpt-4.1-nano", "2025-04-14", training=32_768, context=1_047_576, rate=0.1),
    _model("gpt-4o", "2024-08-06", training=65_536, context=128_000, rate=1.0, vision=True),
    _model("gpt-4o-mini", "2024-07-18", training=65_536, context=128_000, rate=1.0, dpo=False),
)

# They compare two answers (`judging.py`): one by overlap with the reference alone, one that leans to the first.
JUDGES = (
    BaseModel(
        id="rehearsal-judge-1",
        alias="rehearsal-judge",
        version="1",
        training_context=0,
        context=128_000,
        learning_rate_multiplier=1.0,
        judge="fair",
    ),
    BaseModel(
        id="rehearsal-judge-first-1",
        alias="rehearsal-judge-first",
        version="1",
        training_context=0,
        context=128_000,
        learning_rate_multiplier=1.0,
        judge="first",
    ),
)


def find_base_model(name: str) -> BaseModel | None:
    """Find a base model or judge by its dated id or its alias without a date."""
    return next((model for model in (*BASE_MODELS, *JUDGES) if name in (model.id, model.alias)), None)
