"""Settings of the Hugging Face route: the shards it reads and how an open model is trained.

Defaults and where they come from:

- `learning_rate` left out: 2e-4 for adapters and SFT (QLoRA, Dettmers and others 2023, table 9, models to 13 billion
  parameters), a tenth of it for full SFT (TRL `SFTConfig`: 2e-5; adapters want ten times the rate of full tuning,
  Schulman and others, LoRA Without Regret, 2025); DPO 1e-6 in full (TRL `DPOConfig`) and 1e-5 with adapters.
- `epochs`, `adam_beta2`, `max_grad_norm`: transformers `TrainingArguments`.
- `warmup`: 0.03 of the steps, and `batch_size` 16 (QLoRA, table 9); `schedule`: cosine (Alignment Handbook recipes).
- `Lora`: TRL `ModelConfig` (rank 16, alpha 32, dropout 0.05); every linear layer (QLoRA, section 4).
- `beta`: 0.1 (Rafailov and others 2023).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from finelake.config.section import Fraction, PositiveInt, Section

PositiveFloat = Annotated[float, Field(gt=0)]


class Shards(Section):
    """Curated splits as sharded Parquet in `folder` (a Volume or a folder that every node sees); off without it.

    A shard holds about `rows` examples, in groups of about `group_bytes` before compression: a group is read whole, and
    what is shuffled are groups.
    """

    folder: str | None = None
    rows: PositiveInt = 50_000
    group_bytes: PositiveInt = 2_000_000


class Lora(Section):
    """A low-rank adapter; `targets` names modules, or `all-linear` for every linear layer but the output head."""

    r: PositiveInt = 16
    alpha: PositiveInt = 32
    dropout: Fraction = 0.05
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"


class Hyperparameters(Section):
    """How a model is trained.

    `batch_size` examples make one step over all processes together, `micro_batch` of them at once on a device (without
    it, a process's whole part); the rest is accumulated. An example longer than `max_length` tokens loses untrained
    exchanges from its beginning where `too_long` is `cut`, and is left out with a reason where that does not do (or
    `drop`); `refuse` fails the job. `shuffle_rows` examples are mixed at a time, in groups shuffled as a whole.
    """

    epochs: PositiveFloat = 3.0
    batch_size: PositiveInt = 16
    micro_batch: PositiveInt | None = None
    learning_rate: PositiveFloat | None = None
    learning_rate_multiplier: PositiveFloat = 1.0
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warmup: Fraction = 0.03
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    adam_beta2: Fraction = 0.999
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    max_length: PositiveInt = 2048
    too_long: Literal["cut", "drop", "refuse"] = "cut"
    shuffle_rows: PositiveInt = 10_000
    seed: Annotated[int, Field(ge=0)] = 17
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    gradient_checkpointing: bool = False
    lora: Lora = Lora()
    beta: PositiveFloat = 0.1
    loader_workers: Annotated[int, Field(ge=0)] = 0
    max_steps: PositiveInt | None = None
    validation_examples: PositiveInt = 1_000
