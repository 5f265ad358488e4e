"""The model to train: found at a path, in Unity Catalog or at the hub, loaded as the job's tuning needs it."""

from __future__ import annotations

import importlib.util
import logging
import shutil
from pathlib import Path
from typing import Any

from finelake.huggingface.job import Job, JobError

logger = logging.getLogger(__name__)

_CATALOG = "models:/"


def local_source(source: str, *, into: Path) -> str:
    """Give a folder for a source that is one or lies in Unity Catalog (downloaded once into `into`), else the hub name.

    Raises JobError `model_missing` where a path or registered model cannot be had.
    """
    if source.startswith(_CATALOG):
        return str(_with_config(_downloaded(source, into), source))
    if Path(source).is_dir():
        return str(_with_config(Path(source), source))
    if source.startswith((".", "/", "~")):
        raise JobError("model_missing", f"{source} is no folder. Name the folder with the model's config.json.")
    return source


def load_tokenizer(source: str) -> Any:
    """Load a tokenizer. Raises JobError `model_missing`."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=Path(source).is_dir())
    except (OSError, ValueError) as error:
        raise _missing(source, "tokenizer", error) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(job: Job, source: str) -> Any:
    """Load the model, with the adapter to train on where the job names one.

    On a GPU with bfloat16 the frozen weights under an adapter are bfloat16 and trained ones float32, unless the job
    says otherwise. With `qlora` the linear layers are in 4 bits and what is left of the weights in float32. Raises
    JobError `model_missing` or `qlora_unavailable`.
    """
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"dtype": weights_dtype(job), "local_files_only": Path(source).is_dir()}
    if job.tuning == "qlora":
        options |= {"quantization_config": four_bits(job), "device_map": {"": _own_device()}}
    try:
        model = AutoModelForCausalLM.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        raise _missing(source, "model", error) from None
    if job.tuning == "qlora":
        model = _prepared(model, checkpointing=job.hyperparameters.gradient_checkpointing)
    return model if job.model.adapter is None else _with_adapter(model, job.model.adapter)


def load_trained(folder: Path, *, base: str) -> Any:
    """Load what a job has trained as one model; an adapter is merged into its base. Raises JobError `model_missing`."""
    from transformers import AutoModelForCausalLM

    is_adapter = (folder / "adapter_config.json").exists()
    source = base if is_adapter else str(folder)
    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype="auto", local_files_only=Path(source).is_dir())
        if not is_adapter:
            return model
        from peft import PeftModel

        return PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    except (OSError, ValueError) as error:
        raise _missing(source, "model", error) from None


def adapter_config(job: Job) -> Any:
    """Give the new adapter's configuration, None where all weights or a named adapter are trained."""
    if job.tuning == "full" or job.model.adapter is not None:
        return None
    from peft import LoraConfig

    lora = job.hyperparameters.lora
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        task_type="CAUSAL_LM",
    )


def weights_dtype(job: Job) -> Any:
    """Choose the type that the weights are loaded in."""
    import torch

    chosen = job.hyperparameters.dtype
    if chosen == "auto":
        return torch.bfloat16 if job.tuning != "full" and mixed_precision(job) else torch.float32
    return getattr(torch, chosen)


def mixed_precision(job: Job) -> bool:
    """Say whether steps are computed in bfloat16."""
    import torch

    return job.hyperparameters.dtype != "float32" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def _downloaded(source: str, into: Path) -> Path:
    if (into / "whole").exists():
        return into
    try:
        from mlflow import artifacts, set_registry_uri
    except ImportError:
        raise JobError(
            "model_missing", f"{source} needs MLflow to be fetched. Run pip install 'finelake[mlflow]'."
        ) from None
    from mlflow.exceptions import MlflowException

    if source.removeprefix(_CATALOG).split("/")[0].count(".") == 2:
        set_registry_uri("databricks-uc")
    into.mkdir(parents=True, exist_ok=True)
    try:
        artifacts.download_artifacts(artifact_uri=source, dst_path=str(into))
    except (MlflowException, OSError) as error:
        raise _missing(source, "registered model", error) from None
    for tokenizer in into.rglob("components/tokenizer"):
        # MLflow keeps the tokenizer beside the model, transformers wants it in the same folder.
        shutil.copytree(tokenizer, _with_config(into, source), dirs_exist_ok=True)
    (into / "whole").touch()
    return into


def _with_config(folder: Path, source: str) -> Path:
    """Find the folder that transformers reads: MLflow keeps the model in one of its own below."""
    found = sorted(folder.rglob("config.json"), key=lambda path: len(path.parts))
    if not found:
        raise JobError("model_missing", f"{source}: no config.json in {folder}. Name the folder of a whole model.")
    return found[0].parent


def _with_adapter(model: Any, adapter: str) -> Any:
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, adapter, is_trainable=True)
    except (OSError, ValueError) as error:
        raise _missing(adapter, "adapter", error) from None


def four_bits(job: Job) -> Any:
    """Give the quantization of QLoRA (Dettmers and others 2023): NF4 with doubly quantized constants.

    Computed is in the type of the job's steps. Raises JobError `qlora_unavailable` without bitsandbytes.
    """
    import torch

    if importlib.util.find_spec("bitsandbytes") is None:
        raise JobError(
            "qlora_unavailable",
            "tuning: qlora needs bitsandbytes, which is not installed. Run pip install 'finelake[qlora]', or take "
            "tuning: lora.",
        )
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if mixed_precision(job) else torch.float32,
    )


def _prepared(model: Any, *, checkpointing: bool) -> Any:
    """Freeze a quantized model, and keep in float32 what is not quantized: norms, embeddings and the output head."""
    from peft import prepare_model_for_kbit_training

    return prepare_model_for_kbit_training(
        model, use_gradient_checkpointing=checkpointing, gradient_checkpointing_kwargs={"use_reentrant": False}
    )


def _own_device() -> int | str:
    import os

    import torch

    return int(os.environ.get("LOCAL_RANK", "0")) if torch.cuda.is_available() else "cpu"


def _missing(source: str, what: str, error: Exception) -> JobError:
    logger.debug("%s", error)
    return JobError(
        "model_missing",
        f"{source}: the {what} cannot be loaded ({type(error).__name__}). Name a folder that holds it, or a hub name "
        "where there is a network.",
    )
