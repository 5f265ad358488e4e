"""How a Spark session is got."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from finelake.config.section import PositiveInt, Section


class SessionSettings(Section):
    """How to get a Spark session; `auto` takes what the platform gives and starts a local one elsewhere."""

    mode: Literal["auto", "local", "connect", "existing"] = "auto"
    remote: str | None = None
    cores: PositiveInt | None = None
    memory: Annotated[str, StringConstraints(pattern=r"^[0-9]+[mg]$")] = "4g"
    shuffle_partitions: PositiveInt | None = None
    warehouse: str | None = None
