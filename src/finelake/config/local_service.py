"""Models with weights on this machine: what is trained, how it is served, and on what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from finelake.config.huggingface import Hyperparameters
from finelake.config.section import PositiveInt, Section
from finelake.config.serving import RegisteredName, Serving

ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

SERVE = ("{python}", "-m", "transformers.cli.transformers", "serve", "--host", "127.0.0.1", "--port", "{port}")
"""`transformers serve`: one process that loads each model when it is asked for, on a processor or a graphics card."""

SERVE_VLLM = (
    "vllm",
    "serve",
    "{model}",
    "--host",
    "127.0.0.1",
    "--port",
    "{port}",
    "--generation-config",
    "vllm",
    "--enable-auto-tool-choice",
    "--tool-call-parser",
    "hermes",
)
"""vLLM: one process a model, on graphics cards."""


class LocalService(Section):
    """The service on this machine that trains open models: it is started where it does not run.

    `folder` keeps its state, jobs and weights; it must lie on a disk that knows file locks. `models` gives, by the
    name that `model` uses, where weights are: a folder, a name on the hub, or an address in Unity Catalog.
    `context` is the most tokens of an example, prompt and answer. `hyperparameters` are those of the training process;
    `training.epochs`, `batch_size`, `beta` and `seed` count before them where they are given, and
    `training.learning_rate_multiplier` multiplies their rate. There is a checkpoint every `checkpoint_steps`, by
    default at the end of each epoch, and the last `keep_checkpoints` can be chosen from. `serve` is the command of
    the chat server: `transformers`, `vllm`, or one of your own in which `{port}` and `{model}` are replaced. The
    service ends by itself when nobody asked it anything for `idle_minutes` and no job runs. `device` (of
    `hardware_file`, by default conf/hardware.yml) and `devices` are what a plan reckons with; auto is this machine.
    `shards` is the folder of section `shards`: training then streams its Parquet in place of the published JSON Lines.
    `register_as` names the model in MLflow's registry (`catalog.schema.name` in Unity Catalog) whose versions the
    deployed models become; with `serving`, Databricks serves them in place of `serve`.
    """

    folder: str = ".finelake/huggingface"
    models: dict[ModelName, str] = Field(min_length=1)
    context: PositiveInt = 2048
    tuning: Literal["lora", "qlora", "full"] = "lora"
    hyperparameters: Hyperparameters = Hyperparameters()
    checkpoint_steps: PositiveInt | None = None
    keep_checkpoints: PositiveInt = 5
    processes: PositiveInt = 1
    spread: Literal["node", "cluster"] = "node"
    serve: Literal["transformers", "vllm"] | tuple[str, ...] = "transformers"
    idle_minutes: Annotated[float, Field(ge=0)] = 30.0
    device: str = "auto"
    devices: PositiveInt = 1
    hardware_file: str | None = None
    shards: str | None = None
    register_as: RegisteredName | None = None
    serving: Serving | None = None

    @model_validator(mode="after")
    def _what_is_served_is_registered(self) -> LocalService:
        if self.serving is not None and self.register_as is None:
            raise ValueError("serving needs register_as: an endpoint serves a version of a registered model")
        return self

    @property
    def command(self) -> tuple[str, ...]:
        """Give the command of the chat server."""
        if isinstance(self.serve, str):
            return SERVE if self.serve == "transformers" else SERVE_VLLM
        return self.serve
