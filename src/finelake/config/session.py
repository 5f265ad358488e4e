"""How a Spark session is got."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from finelake.config.section import PositiveInt, Section

PLATFORM_VARIABLES = ("DATABRICKS_RUNTIME_VERSION", "IS_SERVERLESS")
"""Environment variables that Databricks compute sets."""


class SessionSettings(Section):
    """How to get a Spark session; `auto` takes what the platform or spark-submit gives, else starts a local one.

    `remote` is the Spark Connect server of mode `connect` (`sc://HOST:PORT`) or the cluster manager of mode `cluster`
    (`spark://HOST:PORT`, `yarn`, `k8s://...`). `options` are Spark's own, for the sessions that finelake starts.
    """

    mode: Literal["auto", "local", "cluster", "connect", "existing"] = "auto"
    remote: str | None = None
    cores: PositiveInt | None = None
    memory: Annotated[str, StringConstraints(pattern=r"^[0-9]+[mg]$")] = "4g"
    shuffle_partitions: PositiveInt | None = None
    warehouse: str | None = None
    options: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _cluster_is_named(self) -> SessionSettings:
        if self.mode == "cluster" and (not self.remote or self.remote.startswith(("local", "sc:"))):
            raise ValueError("mode is 'cluster': remote must name its manager, such as spark://HOST:7077 or yarn")
        return self
