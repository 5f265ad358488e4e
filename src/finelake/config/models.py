"""The catalogue of base models: encodings, training limits, retirement dates and prices, read from conf/models.yml."""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from finelake.config.planning import Method, PlanningFacts
from finelake.errors import ConfigError

Encoding = Literal["o200k_base", "cl100k_base", "o200k_harmony"]
TEMPLATE = "template:"
"""Begins the name of an encoding that is a model's own tokenizer with its chat template; the model's place follows."""

TrainingType = Literal["standard", "dataZone", "globalStandard", "developerTier"]
Sku = Literal["Standard", "GlobalStandard", "DeveloperTier", "DataZoneStandard", "ProvisionedManaged"]

PositiveInt = Annotated[int, Field(gt=0)]
Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

# Azure: base.ft-<hex job>[-suffix][:ckpt-step-N]. OpenAI: ft:base:org:suffix:id[:ckpt-step-N], suffix may be empty.
_AZURE_TUNED = re.compile(r"\A(?P<base>.+)\.ft-[0-9a-f]+(?:-[A-Za-z0-9_-]+)?(?::ckpt-step-[0-9]+)?\Z")
_OPENAI_TUNED = re.compile(r"\Aft:(?P<base>[^:]+)(?::[^:]*)*\Z")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class TokenOverhead(_Entry):
    """Tokens that the chat format and tool definitions add to the encoded texts.

    Source of formula and figures: OpenAI cookbook, How_to_count_tokens_with_tiktoken, sections 6 and 7.
    """

    tokens_per_message: int
    tokens_per_name: int
    reply_priming: int
    function_start: int
    properties_start: int
    property_key: int
    enum_start: int
    enum_item: int
    functions_end: int
    source: Name


class Price(_Entry):
    """An amount of money as one source gave it on one day."""

    amount: Annotated[float, Field(ge=0)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    source: Name
    as_of: date


class ModelPrices(_Entry):
    """Training prices; None or an absent training type means that no source gives a figure."""

    training_per_million_tokens: dict[TrainingType, Price] = Field(default_factory=dict)
    training_per_hour: Price | None = None


class Retirement(_Entry):
    """Days before which training and tuned deployments do not end."""

    training: date
    deployment: date
    source: Name


class ModelInfo(_Entry):
    """One base model.

    `training_context` is the most tokens an example may have, None where no source says. `encoding` and
    `overhead` are None where the model's tokenizer is not one of tiktoken's.
    """

    id: Name
    aliases: tuple[Name, ...] = ()
    format: Name
    encoding: Encoding | None
    overhead: TokenOverhead | None
    overhead_basis: Literal["published", "inferred"] | None = None
    training_context: PositiveInt | None
    methods: tuple[Method, ...]
    training_types: tuple[TrainingType, ...]
    standard_regions: tuple[Name, ...] = ()
    modalities: tuple[Literal["text", "vision"], ...]
    retirement: Retirement | None = None
    prices: ModelPrices = ModelPrices()
    note: str | None = None
    source: Name

    @model_validator(mode="after")
    def _counting_is_whole(self) -> ModelInfo:
        if (self.encoding is None) != (self.overhead is None):
            raise ValueError("encoding and overhead belong together: give both or neither")
        return self

    def counting(self) -> tuple[str, TokenOverhead]:
        """Give what exact counting needs; raises ConfigError where the model's tokenizer is not available."""
        if self.encoding is None or self.overhead is None:
            raise ConfigError(
                f"Model {self.id}: the catalogue names no encoding for it, so its tokens cannot be counted exactly. "
                "To count with another model's encoding instead, copy conf/models.yml, give the model an encoding "
                "and an overhead there, and name the copy in models_file."
            )
        return self.encoding, self.overhead


class ServiceLimits(_Entry):
    """What the fine-tuning service allows: counts, bytes, hours and days as the names say (Azure quotas and limits)."""

    min_training_examples: PositiveInt
    recommended_training_examples: PositiveInt
    max_file_bytes: PositiveInt
    max_portal_file_bytes: PositiveInt
    max_reliable_post_bytes: PositiveInt
    max_upload_bytes: PositiveInt
    max_upload_part_bytes: PositiveInt
    max_files: PositiveInt
    max_total_file_bytes: PositiveInt
    file_uploads_per_second: PositiveInt
    max_function_name_chars: PositiveInt
    max_examples_with_images: PositiveInt
    max_images_per_example: PositiveInt
    max_image_bytes: PositiveInt
    max_tokens_times_epochs: PositiveInt
    max_running_jobs: PositiveInt
    max_running_developer_jobs: PositiveInt
    max_queued_jobs: PositiveInt
    max_kept_jobs: PositiveInt
    max_job_hours: PositiveInt
    max_epochs: PositiveInt
    max_batch_size: PositiveInt
    max_suffix_chars: PositiveInt
    max_metadata_pairs: PositiveInt
    checkpoints_kept: PositiveInt
    reinforcement_pause_usd: PositiveInt
    max_tuned_deployments: PositiveInt
    max_deployment_name_chars: PositiveInt
    developer_deployment_hours: PositiveInt
    unused_deployment_days: PositiveInt
    max_messages_per_request: PositiveInt
    max_tools_per_request: PositiveInt
    max_custom_headers: PositiveInt


class ModelCatalogue(_Entry):
    """Every known base model with the limits and hosting prices of the service."""

    sources: dict[Name, str]
    models: tuple[ModelInfo, ...] = Field(min_length=1)
    hosting_per_hour: dict[Sku, Price] = Field(default_factory=dict)
    developer_training_share: Annotated[float, Field(gt=0, le=1)] | None = None
    limits: ServiceLimits
    planning: PlanningFacts = PlanningFacts()

    @model_validator(mode="after")
    def _names_and_sources_hold(self) -> ModelCatalogue:
        seen: set[str] = set()
        for model in self.models:
            for name in (model.id, *model.aliases):
                if name.casefold() in seen:
                    raise ValueError(f"the name {name} belongs to two models")
                seen.add(name.casefold())
        unknown = sorted(set(_cited(self.model_dump())) - set(self.sources))
        if unknown:
            raise ValueError(f"source not listed under sources: {', '.join(unknown)}")
        return self

    @cached_property
    def _by_name(self) -> dict[str, ModelInfo]:
        return {name.casefold(): model for model in self.models for name in (model.id, *model.aliases)}

    def find(self, name: str) -> ModelInfo:
        """Return the base model behind an id, an alias, or the name of a tuned model or checkpoint.

        Raises ConfigError that lists the known models.
        """
        known = self._by_name.get(name.strip().casefold())
        if known is not None:
            return known
        base = _base_of(name.strip())
        if base is not None and base.casefold() in self._by_name:
            return self._by_name[base.casefold()]
        ids = ", ".join(model.id for model in self.models)
        found = f"{name!r} (tuned from {base!r})" if base is not None else repr(name)
        raise ConfigError(
            f"model: found {found}, which the model catalogue does not list. Known: {ids}. Use one of them, or add "
            "the model to a copy of conf/models.yml and name the copy in models_file. A deployment name is not a model."
        )


def load_catalogue(path: Path | None = None) -> ModelCatalogue:
    """Read the model catalogue; without a path, the one that comes with the package.

    Raises ConfigError that lists every mistake with file, key and value.
    """
    source: Traversable | Path = _shipped() if path is None else path
    try:
        raw = yaml.safe_load(source.read_text(encoding="utf-8"))
        return ModelCatalogue.model_validate(_with_overheads(raw))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{source}: the model catalogue cannot be read ({type(error).__name__}). "
            "Give a UTF-8 file in models_file, or leave it out to use the one that comes with finelake."
        ) from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f"line {place.line + 1}" if place is not None else "an unknown place"
        raise ConfigError(f"{source}: not valid YAML at {line}. Check indentation, colons and quotes there.") from None
    except ValidationError as error:
        raise ConfigError(_explain(str(source), error)) from None


def _shipped() -> Traversable:
    try:
        return resources.files("finelake.conf") / "models.yml"
    except ModuleNotFoundError:
        # Run from a source tree: conf lies beside src and becomes finelake.conf only when installed.
        return Path(__file__).resolve().parents[3] / "conf" / "models.yml"


def _with_overheads(raw: Any) -> Any:
    """Put each overhead family in the place of its name; an unknown name stays and fails validation."""
    if not isinstance(raw, dict) or not isinstance(raw.get("models"), list):
        return raw
    overheads = raw.get("overheads")
    families = overheads if isinstance(overheads, dict) else {}
    models = []
    for entry in raw["models"]:
        family = entry.get("overhead") if isinstance(entry, dict) else None
        models.append({**entry, "overhead": families.get(family, family)} if isinstance(family, str) else entry)
    return {**{key: value for key, value in raw.items() if key != "overheads"}, "models": models}


def _base_of(name: str) -> str | None:
    """Name the model that a tuned name was tuned from, through any number of rounds; None for other names."""
    base = None
    while match := _AZURE_TUNED.match(name) or _OPENAI_TUNED.match(name):
        base = name = match["base"]
    return base


def _cited(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["source"]] if isinstance(node.get("source"), str) else []
        return own + [name for value in node.values() for name in _cited(value)]
    if isinstance(node, list | tuple):
        return [name for value in node for name in _cited(value)]
    return []


def _explain(source: str, error: ValidationError) -> str:
    lines = [f"{source}: {error.error_count()} mistake(s) in the model catalogue. Correct them there."]
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"]) or "(top level)"
        value = item.get("input")
        found = "" if isinstance(value, dict | list) else f"found {value!r}; "
        lines.append(f"  {key}: {found}{item['msg'].removeprefix('Value error, ')}.")
    return "\n".join(lines)
