"""What a fine-tuning job asks for, checked field by field as the service does."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass

from finelake.emulator.errors import ApiError, invalid
from finelake.emulator.wire import Json, Plane

_SUFFIX = {"azure": re.compile(r"[A-Za-z0-9_-]{1,40}"), "openai": re.compile(r"[A-Za-z0-9_-]{1,64}")}
_TRAINING_TYPES = {
    "standard": "standard",
    "globalstandard": "globalStandard",
    "developer": "developerTier",
    "developertier": "developerTier",
}
_MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """A checked request; None means that the service chooses."""

    model: str
    training_file: str
    validation_file: str | None
    suffix: str | None
    seed: int
    epochs: int | None
    batch_size: int | None
    learning_rate_multiplier: float | None
    training_type: str | None
    metadata: dict[str, str] | None
    method_sent: bool
    method: str = "supervised"
    beta: float | None = None
    transformers: Json | None = None

    def to_json(self) -> str:
        """Return the text that the store keeps."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> JobSpec:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))


def parse_job(plane: Plane, body: Json) -> JobSpec:
    """Check everything about a request that needs no look at files or models; raise ApiError 400."""
    method, hyperparameters = _hyperparameters(body)
    if body.get("integrations"):
        raise invalid("The rehearsal service offers no integrations; leave the field out.", param="integrations")
    return JobSpec(
        model=_text(body, "model"),
        training_file=_text(body, "training_file"),
        validation_file=_text(body, "validation_file") if body.get("validation_file") is not None else None,
        suffix=_suffix(plane, body.get("suffix")),
        seed=_seed(body.get("seed")),
        epochs=_whole(hyperparameters, "n_epochs", 50),
        batch_size=_whole(hyperparameters, "batch_size", 256),
        learning_rate_multiplier=_rate(hyperparameters.get("learning_rate_multiplier")),
        training_type=_training_type(plane, body),
        metadata=_metadata(body.get("metadata")),
        method_sent=body.get("method") is not None,
        method=method,
        beta=_beta(method, hyperparameters),
        transformers=_transformers(body.get("transformers")),
    )


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"Missing or wrong required parameter: '{name}' must be a string.", param=name)
    return value


def _suffix(plane: Plane, suffix: object) -> str | None:
    if suffix is None:
        return None
    if not isinstance(suffix, str) or not _SUFFIX[plane].fullmatch(suffix):
        longest = 40 if plane == "azure" else 64
        raise invalid(f"The suffix must have 1 to {longest} characters of A-Z a-z 0-9 _ and -.", param="suffix")
    return suffix


def _seed(seed: object) -> int:
    if seed is None:
        return secrets.randbelow(_MAX_SEED + 1)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MAX_SEED:
        raise invalid(f"The seed must be a whole number from 0 to {_MAX_SEED}.", param="seed")
    return seed


def _hyperparameters(body: Json) -> tuple[str, Json]:
    method, kind = body.get("method"), "supervised"
    if method is None:
        found = body.get("hyperparameters") or {}
    elif isinstance(method, dict) and method.get("type") in ("supervised", "dpo"):
        kind = str(method["type"])
        held = method.get(kind) or {}
        found = held.get("hyperparameters") or {} if isinstance(held, dict) else held
    elif isinstance(method, dict) and method.get("type") == "reinforcement":
        raise invalid("The rehearsal service trains with the methods 'supervised' and 'dpo' only.", param="method")
    else:
        raise invalid("The method must have the type supervised, dpo or reinforcement.", param="method")
    if not isinstance(found, dict):
        raise invalid("The hyperparameters must be an object.", param="hyperparameters")
    return kind, found


def _beta(method: str, hyperparameters: Json) -> float | None:
    value = hyperparameters.get("beta")
    if value in (None, "auto", -1):
        return None
    if method != "dpo":
        raise invalid("beta belongs to the method 'dpo'.", param="hyperparameters.beta")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 2:
        raise invalid("beta must be 'auto' or above 0 and at most 2.", param="hyperparameters.beta")
    return float(value)


def _whole(hyperparameters: Json, name: str, most: int) -> int | None:
    value = hyperparameters.get(name)
    if value in (None, "auto", -1):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise invalid(f"{name} must be 'auto' or a whole number from 1 to {most}.", param=f"hyperparameters.{name}")
    return value


def _rate(value: object) -> float | None:
    if value is None or value == "auto":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise invalid(
            "learning_rate_multiplier must be 'auto' or above 0.", param="hyperparameters.learning_rate_multiplier"
        )
    return float(value)


def _training_type(plane: Plane, body: Json) -> str | None:
    if plane == "openai":
        return None
    given = body.get("trainingType")
    if given is None:
        # Azure answers a request without trainingType with this text, which names the wrong cause.
        raise ApiError(400, "invalidPayload", "The specified base model does not support fine-tuning.", param="model")
    found = _TRAINING_TYPES.get(str(given).lower())
    if found is None:
        raise invalid(f"Unknown trainingType; allowed are {', '.join(_TRAINING_TYPES)}.", param="trainingType")
    return found


def _transformers(asked: object) -> Json | None:
    """Take what only models with weights on this machine have; the training process checks what is in it."""
    if asked is not None and not isinstance(asked, dict):
        raise invalid("transformers must be an object.", param="transformers")
    return asked


def _metadata(metadata: object) -> dict[str, str] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or len(metadata) > 16:
        raise invalid("metadata must be an object of at most 16 pairs.", param="metadata")
    for key, value in metadata.items():
        if not isinstance(value, str) or len(key) > 64 or len(value) > 512:
            raise invalid("metadata needs keys up to 64 and string values up to 512 characters.", param="metadata")
    return metadata
