"""The models that settings may name: those of the catalogue, and those with weights that the settings tell of."""

from __future__ import annotations

from pathlib import Path

from finelake.config.models import TEMPLATE, ModelCatalogue, ModelInfo, TokenOverhead, load_catalogue
from finelake.config.settings import Settings

_SOURCE = "settings"
_NO_OVERHEAD = TokenOverhead(
    tokens_per_message=0,
    tokens_per_name=0,
    reply_priming=0,
    function_start=0,
    properties_start=0,
    property_key=0,
    enum_start=0,
    enum_item=0,
    functions_end=0,
    source=_SOURCE,
)


class OpenModel(ModelInfo):
    """A model with weights at `weights` (folder or hub name): its own tokenizer counts, nothing comes on top."""

    weights: str

    def counting(self) -> tuple[str, TokenOverhead]:
        """Give what exact counting needs."""
        return TEMPLATE + self.weights, _NO_OVERHEAD


def catalogue_of(settings: Settings) -> ModelCatalogue:
    """Read the catalogue and add the models of `service.huggingface`; raises ConfigError as `load_catalogue` does."""
    catalogue = load_catalogue(Path(settings.models_file) if settings.models_file else None)
    local = settings.service.huggingface
    if local is None:
        return catalogue
    named = {name.casefold() for name in local.models}
    others = [model for model in catalogue.models if named.isdisjoint(n.casefold() for n in (model.id, *model.aliases))]
    own = [_open_model(name, weights, context=local.context) for name, weights in local.models.items()]
    return ModelCatalogue(
        sources={**catalogue.sources, _SOURCE: "service.huggingface in the configuration"},
        models=(*others, *own),
        hosting_per_hour=catalogue.hosting_per_hour,
        developer_training_share=catalogue.developer_training_share,
        limits=catalogue.limits,
        planning=catalogue.planning,
    )


def _open_model(name: str, weights: str, *, context: int) -> OpenModel:
    return OpenModel(
        id=name,
        format="Hugging Face",
        encoding=None,
        overhead=None,
        training_context=context,
        methods=("supervised", "dpo"),
        training_types=("globalStandard",),
        modalities=("text",),
        source=_SOURCE,
        weights=weights,
    )
