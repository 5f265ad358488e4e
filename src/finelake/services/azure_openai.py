"""Azure OpenAI (Microsoft Foundry): the v1 and the dated data plane, deployments through ARM."""

from __future__ import annotations

from typing import Any, Literal

from openai import AzureOpenAI, OpenAI

from finelake.config.settings import Service, Training
from finelake.services.base import FineTuningService, Token, chosen_hyperparameters, supervised
from finelake.services.contact import Contact
from finelake.services.credentials import entra_credential, entra_token_provider, place_of, resolve
from finelake.services.deployments import Deployments, connect_deployments
from finelake.services.identity import checked_address

_EXAMPLE = "https://NAME.openai.azure.com"
_V1_PATH = "/openai/v1"


class AzureOpenAIService(FineTuningService):
    """Fine-tuning at an Azure OpenAI resource; signs in with its key, or with Entra ID when `token` is given."""

    def __init__(
        self,
        *,
        contact: Contact,
        client: OpenAI,
        deployments: Deployments,
        api: Literal["v1", "dated"],
        token: Token | None,
    ) -> None:
        super().__init__(contact=contact, client=client, deployments=deployments)
        self._api = api
        self._token = token

    @property
    def client(self) -> OpenAI:
        """The SDK's client, with a fresh Entra token where Entra signs in."""
        if self._token is not None and self._api == "v1":
            # A callable api_key would do this inside the SDK, but SDKs before 1.106 know strings only.
            self._client.api_key = self._token()
        return self._client

    def job_body(self, training: Training) -> dict[str, Any]:
        """Give hyperparameters and `trainingType`.

        The type is always sent: without it the service may answer that the model cannot be fine-tuned. Dated
        versions before 2025 know no `method`, and every dated version knows `hyperparameters`.
        """
        body: dict[str, Any] = {"trainingType": training.training_type}
        if self._api == "dated":
            return body | {"hyperparameters": chosen_hyperparameters(training)}
        return body | {"method": supervised(training)}


def connect_azure(service: Service, *, token: Token | None = None) -> AzureOpenAIService:
    """Prepare data-plane and ARM clients; nothing is sent yet. `token` signs in instead of key and Entra ID's chain.

    Raises ConfigError when an address, a key or a name is missing or wrong.
    """
    endpoint = checked_address(service.endpoint, setting="service.endpoint", example=_EXAMPLE)
    key, origin = None, "Entra ID"
    if token is None and service.api_key is not None:
        key, origin = resolve(service.api_key, setting="service.api_key"), place_of(service.api_key)
    elif token is None:
        token = entra_token_provider(entra_credential(setting="service.api_key"), api=service.api)
    deployments = connect_deployments(service)
    client = _v1_client(endpoint, key) if service.api == "v1" else _dated_client(endpoint, key, token, service)
    contact = Contact(endpoint=endpoint, credential=origin, kind="azure")
    return AzureOpenAIService(contact=contact, client=client, deployments=deployments, api=service.api, token=token)


def _v1_client(endpoint: str, key: str | None) -> OpenAI:
    base = endpoint if endpoint.endswith(_V1_PATH) else f"{endpoint}{_V1_PATH}"
    return OpenAI(api_key=key or "set-before-each-request", base_url=f"{base}/")


def _dated_client(endpoint: str, key: str | None, token: Token | None, service: Service) -> OpenAI:
    address = endpoint.removesuffix("/openai")
    if key is not None:
        return AzureOpenAI(azure_endpoint=address, api_version=service.api_version, api_key=key)
    return AzureOpenAI(azure_endpoint=address, api_version=service.api_version, azure_ad_token_provider=token)
