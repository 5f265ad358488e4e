"""What can be known to fail before anything is uploaded or paid."""

from __future__ import annotations

import logging

from finelake.config.models import ModelInfo, ServiceLimits
from finelake.config.settings import Settings
from finelake.errors import ConfigError, InputError
from finelake.training.data import DataFile, TrainingData

logger = logging.getLogger(__name__)

_METHOD = "supervised"


def check_data(data: TrainingData, *, settings: Settings, limits: ServiceLimits) -> None:
    """Compare files and epochs with the service's limits.

    Raises InputError when a file is too small or too large, or the job would train on too many tokens.
    """
    for file in (data.train, data.validation):
        _enough_examples(file, limits)
        _file_fits(file, limits, parts_above=settings.training.parts_above_megabytes * 2**20)
    epochs = settings.training.epochs
    trained = data.train.tokens * (1 if epochs == "auto" else epochs)
    if trained > limits.max_tokens_times_epochs:
        raise InputError(
            f"{data.train.path}: {data.train.tokens:,} tokens over training.epochs {epochs} make {trained:,}, and the "
            f"service trains on at most {limits.max_tokens_times_epochs:,} a job. Lower training.epochs or curate less."
        )


def check_model(data: TrainingData, *, settings: Settings, model: ModelInfo, counted_for: ModelInfo) -> None:
    """See that the model can be trained as asked and that tokens were counted for it. Raises ConfigError."""
    if counted_for.id != model.id:
        raise ConfigError(
            f"model: found {settings.model!r}, but {data.train.path.parent} was curated for {data.model!r}. Run "
            f"`finelake curate` for this model, or set model back."
        )
    if _METHOD not in model.methods:
        offered = ", ".join(model.methods) or "none"
        raise ConfigError(
            f"model: {model.id} offers no supervised fine-tuning (methods: {offered}). Choose a model that does."
        )
    wanted = settings.training.training_type
    if settings.service.kind == "azure" and wanted not in model.training_types:
        raise ConfigError(
            f"training.training_type: found {wanted!r}, but {model.id} is trained as: "
            f"{', '.join(model.training_types)}. Choose one of them."
        )


def _enough_examples(file: DataFile, limits: ServiceLimits) -> None:
    if file.examples < limits.min_training_examples:
        raise InputError(
            f"{file.path} holds {file.examples} examples, and a job needs at least {limits.min_training_examples} in "
            f"the {file.split} file. Add conversations, raise the split's share under splits, or look at "
            f"what the quarantine table set aside; then run `finelake curate` again."
        )
    if file.split == "train" and file.examples < limits.recommended_training_examples:
        logger.warning(
            "%s holds %d examples; the service's guide starts at %d.",
            file.path,
            file.examples,
            limits.recommended_training_examples,
        )


def _file_fits(file: DataFile, limits: ServiceLimits, *, parts_above: int) -> None:
    if file.bytes >= limits.max_file_bytes:
        raise InputError(
            f"{file.path} has {file.bytes:,} bytes, and the service takes files below {limits.max_file_bytes:,}. "
            f"Curate fewer or shorter conversations."
        )
    if limits.max_reliable_post_bytes < file.bytes <= parts_above:
        logger.warning(
            "%s has %d bytes; single uploads above %d are reported to fail later without saying why. Lower "
            "training.parts_above_megabytes.",
            file.path,
            file.bytes,
            limits.max_reliable_post_bytes,
        )
