"""What the catalogue knows beyond models and limits, for the plan of a job; it changes nothing that is curated."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finelake.config.section import Fraction, PositiveInt, Section

Method = Literal["supervised", "dpo", "reinforcement"]

_Text = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DefaultEpochs(_Entry):
    """The epochs that a service was seen to choose by itself; `said` introduces the number."""

    epochs: PositiveInt
    said: _Text
    source: _Text


class Discount(_Entry):
    """By which shares global training is cheaper than regional training."""

    least: Annotated[float, Field(ge=0, lt=1)]
    most: Annotated[float, Field(ge=0, lt=1)]
    source: _Text


class Role(_Entry):
    """Roles of which one lets an identity do something; `may` completes "to ..."; the resource's key may do too."""

    may: _Text
    by_key: bool = False
    roles: tuple[_Text, ...] = Field(min_length=1)
    source: _Text


class Notice(_Entry):
    """What a provider announced for jobs at `host`; from `refused_from` on nobody can create one."""

    host: _Text
    says: _Text
    refused_from: date
    source: _Text


class PlanningFacts(_Entry):
    """Facts for the plan. `crowded_share` is the share of a limit on files from which on there is a warning."""

    default_epochs: dict[Method, DefaultEpochs] = Field(default_factory=dict)
    global_discount: Discount | None = None
    crowded_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    roles: tuple[Role, ...] = ()
    notices: tuple[Notice, ...] = ()


class Plan(Section):
    """How strict `finelake plan` is, and with it the beginning of `finelake train`.

    Personal data are looked for in at most `personal_sample` lines a file; from `personal_warn` of the lines on there
    is a warning, above `personal_refuse` a refusal, for which kinds with the policy `report` do not count. (The
    service's data checks give false positives on such data; no source gives their threshold.) `budget` is the most
    that training may cost, in the price's currency. `accept` names checks whose refusal counts as a warning: limits
    are data and grow old.
    """

    personal_sample: PositiveInt = 5_000
    personal_warn: Fraction = 0.05
    personal_refuse: Fraction = 0.3
    retirement_days: PositiveInt = 90
    budget: Annotated[float, Field(gt=0)] | None = None
    accept: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _warns_before_it_refuses(self) -> Plan:
        if self.personal_warn > self.personal_refuse:
            raise ValueError("plan.personal_warn must not be above plan.personal_refuse")
        return self
