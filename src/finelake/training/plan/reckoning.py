"""What a job will come to: epochs by the rule, tokens times epochs, and a price range with its source and date."""

from __future__ import annotations

from dataclasses import dataclass

from finelake.config.models import ModelCatalogue, ModelInfo
from finelake.config.settings import Training
from finelake.report.cost import price_of
from finelake.training.epochs import auto_epochs
from finelake.training.forms.form import LineTokens

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Between:
    """A range, both ends included."""

    least: float
    most: float

    def __str__(self) -> str:
        """Say it with thousands separated; one number where both ends are the same."""
        ends = [f"{end:,.0f}" if end >= 1000 or end == int(end) else f"{end:,.2f}" for end in (self.least, self.most)]
        return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceRange:
    """What training costs, from the source of `as_of` (ISO); `basis` says how the figure comes about."""

    amount: Between
    currency: str
    basis: str
    source: str
    as_of: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reckoning:
    """What a job comes to. `epochs_rule` says where the epochs come from.

    `tokens` are those of one epoch, `trained` those that are learnt (assistant messages of weight 1), `billed` tokens
    times epochs; None where the model's tokens cannot be counted. `price` is None where no source gives a figure.
    """

    epochs: Between
    epochs_rule: str
    epochs_source: str
    tokens: Between | None
    trained: int | None
    billed: Between | None
    price: PriceRange | None


def reckon(
    *, examples: int, tokens: LineTokens | None, model: ModelInfo, catalogue: ModelCatalogue, training: Training
) -> Reckoning:
    """Reckon with the training file: tokens of an epoch (each example up to the model's limit) times epochs.

    Formula: Azure's guide to fine-tuning costs. The validation file is not billed there.
    """
    epochs, rule, source = _epochs(examples, training, catalogue)
    once = None if tokens is None else Between(tokens.fewest, tokens.most)
    billed = None if once is None else Between(once.least * epochs.least, once.most * epochs.most)
    return Reckoning(
        epochs=epochs,
        epochs_rule=rule,
        epochs_source=source,
        tokens=once,
        trained=None if tokens is None else tokens.trained,
        billed=billed,
        price=None if billed is None else _price(billed, model, catalogue, training.training_type),
    )


def _epochs(examples: int, training: Training, catalogue: ModelCatalogue) -> tuple[Between, str, str]:
    if training.epochs != "auto":
        return Between(training.epochs, training.epochs), "training.epochs", ""
    by_rule, seen = auto_epochs(examples), catalogue.planning.default_epochs.get(training.method)
    if seen is None:
        return Between(by_rule, by_rule), "auto: the cookbook's rule", catalogue.sources["count_tokens"]
    both = sorted((by_rule, seen.epochs))
    rule = f"auto: the service chooses; the cookbook's rule gives {by_rule}, {seen.said} {seen.epochs}"
    return Between(*both), rule, catalogue.sources[seen.source]


def _price(billed: Between, model: ModelInfo, catalogue: ModelCatalogue, kind: str) -> PriceRange | None:
    price, share = price_of(kind, model, catalogue)
    basis = f"a million tokens {kind}" if share == 1.0 else f"{share:.0%} of the globalStandard price"
    shares = Between(share, share)
    cheaper = catalogue.planning.global_discount
    if price is None and kind == "standard" and cheaper is not None:
        price, _ = price_of("globalStandard", model, catalogue)
        shares = Between(1 / (1 - cheaper.least), 1 / (1 - cheaper.most))
        basis = f"the globalStandard price, which is {cheaper.least:.0%} to {cheaper.most:.0%} lower than this one"
    if price is None:
        return None
    million = price.amount / _MILLION
    return PriceRange(
        amount=Between(billed.least * million * shares.least, billed.most * million * shares.most),
        currency=price.currency,
        basis=f"{price.amount:.2f} {price.currency}, {basis}",
        source=catalogue.sources[price.source],
        as_of=price.as_of.isoformat(),
    )
