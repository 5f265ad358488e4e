"""Where a registered model is served: a Databricks Model Serving endpoint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints, model_validator

from finelake.config.privacy import SecretRef
from finelake.config.section import Section

RegisteredName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*\.[A-Za-z0-9_][A-Za-z0-9_-]*)?$"
    ),
]
"""`catalog.schema.name` in Unity Catalog, or one name in a tracking server's own registry."""


class Serving(Section):
    """Model Serving endpoints of a workspace, one a deployment; the models are those of `register_as`.

    `workload_type` and `workload_size` are the platform's words for hardware and for how many requests are answered at
    once (Small 4, Medium 8 to 16, Large 16 to 64); what a workspace offers differs by region. With `scale_to_zero`
    nothing runs, and nothing is billed, while nobody asks; the first answer then takes minutes. `host` and `token` say
    which workspace and who asks; left out, databricks-sdk signs in (environment, profile, or the job's own identity).
    """

    workload_type: Literal[
        "CPU",
        "CPU_MEDIUM",
        "CPU_LARGE",
        "GPU_SMALL",
        "GPU_MEDIUM",
        "GPU_LARGE",
        "GPU_XLARGE",
        "GPU_XLARGE_8",
        "MULTIGPU_MEDIUM",
    ] = "GPU_SMALL"
    workload_size: Literal["Small", "Medium", "Large"] = "Small"
    scale_to_zero: bool = True
    host: str | None = None
    token: SecretRef | None = None

    @model_validator(mode="after")
    def _token_has_a_host(self) -> Serving:
        if (self.host is None) != (self.token is None):
            raise ValueError("host and token belong together: a token is good for one workspace")
        return self
