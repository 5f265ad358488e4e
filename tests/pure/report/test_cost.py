"""What training costs: the catalogue's price times tokens times epochs, and no price where no source gives one."""

from __future__ import annotations

import pytest

from finelake.config.models import load_catalogue
from finelake.config.settings import Training
from finelake.report.cost import training_cost
from finelake.report.document import Cost


def cost(model: str, **training: object) -> Cost:
    catalogue = load_catalogue()
    return training_cost(
        examples=400,
        tokens=1_500_000,
        model=catalogue.find(model),
        catalogue=catalogue,
        training=Training.model_validate(training),
    )


def test_a_known_price_is_multiplied_out_with_its_source() -> None:
    found = cost("gpt-4.1")
    prices = {price.training_type: price for price in found.prices}
    assert (found.epochs, found.epochs_estimated, found.billed_tokens) == (3, True, 4_500_000)
    assert prices["globalStandard"].amount == pytest.approx(9.0)
    assert prices["globalStandard"].as_of == "2026-03-19"
    assert "cost-management" in prices["globalStandard"].basis
    assert prices["developerTier"].amount == pytest.approx(4.5)
    assert prices["developerTier"].basis.startswith("50% of the globalStandard price")
    assert prices["standard"].amount is None


def test_configured_epochs_are_taken_as_they_are() -> None:
    found = cost("gpt-4.1", epochs=2)
    assert (found.epochs, found.epochs_estimated, found.billed_tokens) == (2, False, 3_000_000)


def test_a_model_without_a_price_has_none() -> None:
    found = cost("gpt-4.1-mini")
    assert found.prices
    assert {price.amount for price in found.prices} == {None}
    assert {price.sku: price.an_hour for price in found.hosting}["Standard"] == pytest.approx(1.7)
    assert found.retirement is not None
