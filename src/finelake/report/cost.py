"""What training and keeping the model costs, from the catalogue's prices, and how many epochs to reckon with."""

from __future__ import annotations

from finelake.config.models import ModelCatalogue, ModelInfo, Price
from finelake.config.settings import Training
from finelake.report.document import Cost, HostingPrice, TrainingPrice
from finelake.training.epochs import auto_epochs

_MILLION = 1_000_000


def training_cost(
    *, examples: int, tokens: int, model: ModelInfo, catalogue: ModelCatalogue, training: Training
) -> Cost:
    """Reckon with the train split's examples and tokens; no example is longer than the model's limit.

    Price of a job: tokens times epochs times the price of a token (Azure's guide to fine-tuning costs).
    """
    estimated = training.epochs == "auto"
    epochs = auto_epochs(examples) if training.epochs == "auto" else training.epochs
    billed = tokens * epochs
    return Cost(
        train_tokens=tokens,
        epochs=epochs,
        epochs_estimated=estimated,
        billed_tokens=billed,
        largest_job=catalogue.limits.max_tokens_times_epochs,
        training_type=training.training_type,
        prices=tuple(_training_price(kind, billed, model, catalogue) for kind in model.training_types),
        hosting=tuple(
            HostingPrice(
                sku=sku,
                an_hour=price.amount,
                currency=price.currency,
                basis=catalogue.sources[price.source],
                as_of=price.as_of.isoformat(),
            )
            for sku, price in catalogue.hosting_per_hour.items()
        ),
        retirement=model.retirement.training.isoformat() if model.retirement else None,
    )


def _training_price(kind: str, billed: int, model: ModelInfo, catalogue: ModelCatalogue) -> TrainingPrice:
    price, share = price_of(kind, model, catalogue)
    if price is None:
        return TrainingPrice(
            training_type=kind, million_tokens=None, amount=None, currency="USD", basis="no source gives it", as_of=""
        )
    million = price.amount * share
    basis = catalogue.sources[price.source]
    return TrainingPrice(
        training_type=kind,
        million_tokens=million,
        amount=round(million * billed / _MILLION, 4),
        currency=price.currency,
        basis=basis if share == 1.0 else f"{share:.0%} of the globalStandard price; {basis}",
        as_of=price.as_of.isoformat(),
    )


def price_of(kind: str, model: ModelInfo, catalogue: ModelCatalogue) -> tuple[Price | None, float]:
    """Give the price of a million tokens and the share of it to pay; developerTier is a share of globalStandard."""
    prices = model.prices.training_per_million_tokens
    for known, price in prices.items():
        if known == kind:
            return price, 1.0
    if kind == "developerTier" and catalogue.developer_training_share is not None:
        return prices.get("globalStandard"), catalogue.developer_training_share
    return None, 1.0
