"""Azure OpenAI (Microsoft Foundry): the v1 and the dated data plane, deployments through ARM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from openai import AzureOpenAI, OpenAI

from finelake.config.settings import Service, Training
from finelake.services.base import FineTuningService, Token, chosen_hyperparameters, method_of
from finelake.services.contact import Contact
from finelake.services.credentials import RenewableToken, place_of, resolve
from finelake.services.deployed import Deploys
from finelake.services.deployments import connect_deployments
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
        deployments: Deploys,
        api: Literal["v1", "dated"],
        token: Token | None,
        renew: Callable[[], str | None],
        dated: OpenAI,
    ) -> None:
        super().__init__(contact=contact, client=client, deployments=deployments, renew=renew)
        self._api = api
        self._token = token
        self._dated = dated

    @property
    def client(self) -> OpenAI:
        """The SDK's client, with a fresh Entra token where Entra signs in."""
        if self._token is not None and self._api == "v1":
            # A callable api_key would do this inside the SDK, but SDKs before 1.106 know strings only.
            self._client.api_key = self._token()
        return self._client

    @property
    def parts_client(self) -> OpenAI:
        """The client of the dated paths: the v1 paths are reported to know no uploads in parts."""
        return self._dated

    def renew(self) -> bool:
        """Read the key or get the token anew after a 401; True, as asking again then makes sense."""
        super().renew()
        self._dated.api_key = self._client.api_key if self._token is None else self._dated.api_key
        return True

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self._dated.close()

    def job_body(self, training: Training) -> dict[str, Any]:
        """Give hyperparameters and `trainingType`.

        The type is always sent: without it the service may answer that the model cannot be fine-tuned. Dated
        versions before 2025 know no `method`, and every dated version knows `hyperparameters`.
        """
        body: dict[str, Any] = {"trainingType": training.training_type}
        if self._api == "dated" and training.method == "supervised":
            return body | {"hyperparameters": chosen_hyperparameters(training)}
        return body | {"method": method_of(training)}


def connect_azure(
    service: Service, *, token: Token | None = None, build: Callable[..., AzureOpenAIService] | None = None
) -> AzureOpenAIService:
    """Prepare data-plane and ARM clients; nothing is sent yet. `token` signs in instead of key and Entra ID's chain.

    Raises ConfigError when an address, a key or a name is missing or wrong.
    """
    endpoint = checked_address(service.endpoint, setting="service.endpoint", example=_EXAMPLE)
    sign_in = _sign_in(service, token)
    deployments = connect_deployments(service)
    dated = _dated_client(endpoint, sign_in, service)
    client = _v1_client(endpoint, sign_in) if service.api == "v1" else dated
    return (build or AzureOpenAIService)(
        contact=Contact(endpoint=endpoint, credential=sign_in.origin, kind="azure"),
        client=client,
        deployments=deployments,
        api=service.api,
        token=sign_in.token,
        renew=sign_in.renew,
        dated=dated,
    )


@dataclass(frozen=True, slots=True)
class _SignIn:
    """A key or a function that gives tokens, where it comes from, and how to get a new one (the new key, if any)."""

    key: str | None
    token: Token | None
    origin: str
    renew: Callable[[], str | None]


def _sign_in(service: Service, token: Token | None) -> _SignIn:
    if token is not None:
        return _SignIn(None, token, "Entra ID", lambda: None)
    if service.api_key is not None:
        reference = service.api_key
        key = resolve(reference, setting="service.api_key")
        return _SignIn(key, None, place_of(reference), lambda: resolve(reference, setting="service.api_key"))
    source = RenewableToken(api=service.api, entra=service.entra)
    return _SignIn(None, source, "Entra ID", source.renew)


def _v1_client(endpoint: str, sign_in: _SignIn) -> OpenAI:
    base = endpoint if endpoint.endswith(_V1_PATH) else f"{endpoint}{_V1_PATH}"
    return OpenAI(api_key=sign_in.key or "set-before-each-request", base_url=f"{base}/", max_retries=0)


def _dated_client(endpoint: str, sign_in: _SignIn, service: Service) -> OpenAI:
    address = endpoint.removesuffix(_V1_PATH).removesuffix("/openai")
    if sign_in.key is not None:
        return AzureOpenAI(azure_endpoint=address, api_version=service.api_version, api_key=sign_in.key, max_retries=0)
    return AzureOpenAI(
        azure_endpoint=address,
        api_version=service.api_version,
        azure_ad_token_provider=sign_in.token,
        max_retries=0,
    )
