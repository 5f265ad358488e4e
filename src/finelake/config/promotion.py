"""What a promotion makes and what it asks for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from finelake.config.section import PositiveInt, Section


class Promotion(Section):
    """What `finelake promote` deploys for use, and the alias that then names it.

    `sku` is the tier: Standard, GlobalStandard, DataZoneStandard or ProvisionedManaged (Azure); `capacity` is in
    thousands of tokens a minute. A verdict other than `promote` needs `override`, the reason, which is kept. With
    `remove_previous` the deployments that the alias named before are removed once the new one answers.
    """

    alias: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,15}$")] = "production"
    sku: Literal["Standard", "GlobalStandard", "DataZoneStandard", "ProvisionedManaged"] = "GlobalStandard"
    capacity: PositiveInt = 50
    override: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)] | None = None
    remove_previous: bool = False

    def with_options(self, *, override: str | None, remove_previous: bool = False) -> Promotion:
        """Give the same with what a command's options say on top; raises ValidationError where they are wrong."""
        given = {"override": override} if override is not None else {}
        return Promotion.model_validate(
            self.model_dump() | given | ({"remove_previous": True} if remove_previous else {})
        )
