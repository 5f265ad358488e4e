"""The epochs that a service is reckoned to choose."""

from __future__ import annotations

import pytest

from finelake.training.epochs import auto_epochs


@pytest.mark.parametrize(
    ("count", "epochs"),
    [(4, 25), (5, 20), (10, 10), (20, 5), (33, 3), (34, 3), (8333, 3), (8334, 2), (12501, 1), (100_000, 1)],
)
def test_auto_epochs_are_the_published_rule(count: int, epochs: int) -> None:
    assert auto_epochs(count) == epochs
