"""What the train split is made of: caps, a budget, and how it is divided."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from finelake.config.section import PositiveInt, Section


class Cap(Section):
    """The most that one value of a column may have: trained tokens, or a share of those left in the train split.

    Without `values` every value of the column is capped by itself (`user_id` with `tokens`: no user has more).
    """

    column: str
    values: tuple[str, ...] | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None
    share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Cap:
        if (self.tokens is None) == (self.share is None):
            raise ValueError("give tokens or share, one of them")
        return self


class Weights(Section):
    """In what proportion the values of a column share the budget; `other` is the weight of values not named."""

    column: str
    values: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)
    other: Annotated[float, Field(ge=0)] = 1.0


class Mixing(Section):
    """What the train split is made of: caps in their order, then a budget of trained tokens, divided by weights.

    Columns are `topic`, `language`, `origin`, `user_id`, `metadata.KEY` or any other of a conversation. What is chosen
    follows a salted hash of the user (or duplicate group), so that users stay whole and growth changes little.
    """

    caps: tuple[Cap, ...] = ()
    budget_tokens: PositiveInt | None = None
    weights: Weights | None = None
    salt: str = "finelake"

    @model_validator(mode="after")
    def _weights_divide_a_budget(self) -> Mixing:
        if self.weights is not None and self.budget_tokens is None:
            raise ValueError("mixing.weights divide mixing.budget_tokens: set it")
        return self
