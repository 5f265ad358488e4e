"""What training costs, and what keeping the deployment costs an hour."""

from __future__ import annotations

from collections.abc import Iterator

from finelake.training.plan.finding import OWN_RULE, Finding
from finelake.training.plan.known import Known
from finelake.training.plan.registry import check

_NO_PRICE = (
    "Look the price up for your region, and add it to a copy of conf/models.yml (models_file), with source and date."
)


@check("money")
def training_price(known: Known) -> Iterator[Finding]:
    """Give the price range with its source and date, and compare it with the budget; not for hourly prices."""
    if known.is_local or known.settings.training.method == "reinforcement":
        return
    price, budget = known.reckoning.price, known.settings.plan.budget
    if price is None:
        yield Finding(
            check="training_price",
            verdict="warn" if budget is None else "refuse",
            found=f"no source gives a price for {known.settings.training.training_type} training of {known.model.id}",
            limit="" if budget is None else f"plan.budget {budget:,.2f}",
            source="" if budget is None else OWN_RULE,
            remedy=_NO_PRICE if budget is None else f"{_NO_PRICE} Without a price, plan.budget cannot be kept.",
        )
        return
    over = budget is not None and price.amount.most > budget
    yield Finding(
        check="training_price",
        verdict="refuse" if over else "ok",
        found=f"{price.amount} {price.currency} ({price.basis})",
        limit="" if budget is None else f"plan.budget {budget:,.2f}",
        source=f"{price.source}, as of {price.as_of}; an example there, not an offer",
        remedy="Curate less, lower training.epochs, choose a cheaper training type, or raise plan.budget."
        if over
        else "",
    )


@check("money")
def hourly_price(known: Known) -> Iterator[Finding]:
    """Reinforcement training is billed by the hour."""
    price = known.model.prices.training_per_hour
    if price is not None and known.settings.training.method == "reinforcement":
        cap = known.catalogue.limits.reinforcement_pause_usd
        yield Finding(
            check="hourly_price",
            verdict="warn",
            found=f"{price.amount:,.2f} {price.currency} for each hour of training, and the tokens of graders",
            limit=f"the job pauses at {cap:,} USD",
            source=f"{known.cite(price.source)}, as of {price.as_of.isoformat()}",
            remedy="Hours cannot be foreseen: watch the job, and pause or cancel it.",
        )


@check("money")
def hosting_price(known: Known) -> Iterator[Finding]:
    """Say what the tuned deployment costs while nobody asks it anything."""
    if not known.is_azure:
        return
    sku = known.settings.deployment.sku
    price = known.catalogue.hosting_per_hour.get(sku)
    if price is None:
        yield Finding(check="hosting_price", verdict="unknown", found=f"no source gives the price of hosting by {sku}")
        return
    yield Finding(
        check="hosting_price",
        verdict="ok" if price.amount == 0 else "warn",
        found=f"{sku}: {price.amount:.2f} {price.currency} an hour, {24 * price.amount:,.2f} a day, called or not",
        source=f"{known.cite(price.source)}, as of {price.as_of.isoformat()}",
        remedy="" if price.amount == 0 else "Remove the deployment when it is not needed; storing the model is free.",
    )
