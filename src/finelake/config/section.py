"""The base of every section of the configuration, and the number types that sections share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

PositiveInt = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
OffIsAWord = BeforeValidator(lambda value: "off" if value is False else value)
"""Takes YAML's bare `off`, which it reads as false, for the word."""


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
