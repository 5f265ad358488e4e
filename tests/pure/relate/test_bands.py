"""The choice of bands, and the S-curve that says what it finds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from finelake.config.settings import Duplicates
from finelake.errors import ConfigError
from finelake.relate.bands import WANTED, Banding, choose_banding


def test_the_default_finds_the_threshold_with_the_longest_bands() -> None:
    banding = choose_banding(threshold=0.8, permutations=128)
    assert banding == Banding(bands=21, rows=6)
    assert banding.found(0.8) >= WANTED
    assert Banding(bands=18, rows=7).found(0.8) < WANTED


def test_the_curve_is_the_probability_of_one_equal_band() -> None:
    banding = Banding(bands=14, rows=8)
    # Datatrove's default, which lets 5.3 % of the pairs at similarity 0.5 through.
    assert banding.found(0.5) == pytest.approx(0.053, abs=0.001)
    assert banding.curve()["0.50"] == pytest.approx(banding.found(0.5), abs=1e-6)
    assert banding.curve()["0.00"] == 0.0
    assert banding.curve()["1.00"] == 1.0
    values = list(banding.curve().values())
    assert values == sorted(values)


def test_too_few_permutations_are_refused() -> None:
    with pytest.raises(ConfigError, match="too few"):
        choose_banding(threshold=0.1, permutations=16)


def test_every_setting_that_is_allowed_has_bands() -> None:
    loosest = Duplicates(threshold=0.3, permutations=16)
    assert choose_banding(threshold=loosest.threshold, permutations=loosest.permutations).bands == 16
    for wrong in ({"threshold": 0.29}, {"permutations": 15}):
        with pytest.raises(ValidationError):
            Duplicates.model_validate(wrong)
