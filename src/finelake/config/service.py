"""The fine-tuning service, the job, and the deployments."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from finelake.config.early_stop import EarlyStop
from finelake.config.local_service import LocalService
from finelake.config.planning import Method
from finelake.config.privacy import SecretRef
from finelake.config.section import PositiveInt, Section

_RESOURCE_FORM = "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.CognitiveServices/accounts/NAME"
_RESOURCE = re.compile(
    r"\A/subscriptions/(?P<subscription_id>[^/]+)/resourceGroups/(?P<resource_group>[^/]+)"
    r"/providers/Microsoft\.CognitiveServices/accounts/(?P<account>[A-Za-z0-9-]+)/?\Z",
    re.IGNORECASE,
)


class Entra(Section):
    """How Entra ID signs in: by a federated token file (workload identity), a client secret, or a service credential.

    A workload identity's token is read anew from `token_file` each time one is needed. `service_credential` names one
    of Unity Catalog's, which gives a managed identity's tokens on Databricks (16.2 and later, serverless). Tenant and
    client may be kept with the secrets.
    """

    tenant_id: str | SecretRef | None = None
    client_id: str | SecretRef | None = None
    client_secret: SecretRef | None = None
    token_file: str | None = None
    service_credential: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Entra:
        ways = [self.client_secret, self.token_file, self.service_credential]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("give one of client_secret, token_file and service_credential")
        if self.service_credential is None and (self.tenant_id is None or self.client_id is None):
            raise ValueError("client_secret and token_file need tenant_id and client_id")
        return self


class Service(Section):
    """The fine-tuning service. Without `api_key`, Entra ID signs in: as `entra` says, else azure-identity's chain.

    `resource` is the Azure id of the resource (`/subscriptions/.../accounts/NAME`); endpoint, subscription, group and
    account are taken from it where they are not set. `resource_manager` is ARM's address; a loopback address may be
    plain http and then takes `resource_manager_token` instead of Entra. `huggingface` is a service on this machine and
    needs nothing else.
    """

    kind: Literal["azure", "openai", "huggingface"] = "azure"
    endpoint: str | None = None
    api: Literal["v1", "dated"] = "v1"
    api_version: str = "2025-04-01-preview"
    api_key: SecretRef | None = None
    subscription_id: str | None = None
    resource_group: str | None = None
    account: str | None = None
    resource: str | None = None
    entra: Entra | None = None
    resource_manager: str = "https://management.azure.com"
    resource_manager_token: SecretRef | None = None
    huggingface: LocalService | None = None

    @model_validator(mode="after")
    def _machine_is_described(self) -> Service:
        if (self.kind == "huggingface") != (self.huggingface is not None):
            raise ValueError("service.kind huggingface and service.huggingface belong together")
        return self

    @model_validator(mode="before")
    @classmethod
    def _resource_is_spread(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("resource"), str):
            return given
        found = _RESOURCE.match(given["resource"])
        if found is None:
            raise ValueError(f"resource must be an Azure resource id, {_RESOURCE_FORM}")
        parts = found.groupdict()
        parts["endpoint"] = f"https://{parts['account']}.openai.azure.com"
        return {**given, **{name: value for name, value in parts.items() if given.get(name) is None}}


class Training(Section):
    """The fine-tuning job. Ranges: OpenAI's API specification; suffix: Azure's (at most 40 characters).

    The same data and settings never make a second job; counting `attempt` up asks for another one all the same.
    After `deadline_hours` of watching the job is left, paused or cancelled, as `at_deadline` says. Files above
    `parts_above_megabytes` (of 2^20 bytes) travel in parts of `part_megabytes`. With `import_from`, a secret that
    holds the signed address of a folder with the published files, the service fetches them itself. A driver that has
    not written for `lease_seconds` is taken for dead. `early_stop` ends a job that no longer learns.
    """

    method: Method = "supervised"
    epochs: Annotated[int, Field(ge=1, le=50)] | Literal["auto"] = "auto"
    batch_size: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = "auto"
    learning_rate_multiplier: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    grader: dict[str, Any] | None = None
    beta: Annotated[float, Field(gt=0, le=2)] | Literal["auto"] = "auto"
    suffix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    attempt: PositiveInt = 1
    training_type: Literal["standard", "globalStandard", "developerTier"] = "globalStandard"
    poll_seconds: Annotated[float, Field(gt=0)] = 10.0
    deadline_hours: Annotated[float, Field(gt=0)] = 24.0
    at_deadline: Literal["leave", "pause", "cancel"] = "leave"
    parts_above_megabytes: PositiveInt = 100
    part_megabytes: Annotated[int, Field(ge=1, le=64)] = 32
    import_from: SecretRef | None = None
    lease_seconds: Annotated[float, Field(ge=1)] = 600.0
    early_stop: EarlyStop | None = None


class Deployment(Section):
    """Deployments of the tuned and the base model; capacity in thousands of tokens a minute.

    `checkpoint` is the one of the tuned model's that is deployed: the last, or the one with the lowest validation loss
    among those that the service keeps. These deployments are for evaluation; section `promotion` is for use.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{2,64}$")] | None = None
    sku: Literal["Standard", "GlobalStandard", "DeveloperTier", "DataZoneStandard", "ProvisionedManaged"] = (
        "DeveloperTier"
    )
    capacity: PositiveInt = 50
    checkpoint: Literal["last", "best"] = "last"
    base_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{2,64}$")] | None = None
    base_sku: Literal["Standard", "GlobalStandard", "DataZoneStandard", "ProvisionedManaged"] = "GlobalStandard"
    ready_timeout_seconds: Annotated[float, Field(gt=0)] = 1800.0
