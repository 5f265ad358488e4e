"""Secrets and tokens: where they come from. Their values never reach a log or an error message."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError

from finelake.config.service import Entra
from finelake.config.settings import SecretRef, Service
from finelake.databricks.workspace import workspace_client
from finelake.errors import ConfigError, EnvironmentProblem

# https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle (v1) and the dated authoring reference.
SCOPES = {"v1": "https://ai.azure.com/.default", "dated": "https://cognitiveservices.azure.com/.default"}
_STATIC_TOKEN_SECONDS = 3600


class StaticToken:
    """A credential that always gives the same bearer token: for a resource manager that has no Entra ID."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Give the token, whatever the scopes and options asked for."""
        del scopes, options
        return AccessToken(self._token, int(time.time()) + _STATIC_TOKEN_SECONDS)


def place_of(reference: SecretRef) -> str:
    """Name where a secret is kept, for messages."""
    if reference.env is not None:
        return f"environment variable {reference.env}"
    return f"secret {reference.key} of Databricks scope {reference.scope}"


def resolve(reference: SecretRef, *, setting: str, environment: Mapping[str, str] | None = None) -> str:
    """Read a secret from its place; `setting` is the configuration key that names it.

    Raises ConfigError when it is missing or empty.
    """
    if reference.env is not None:
        value = (os.environ if environment is None else environment).get(reference.env, "")
    else:
        value = _databricks_secret(str(reference.scope), str(reference.key), setting)
    if not value.strip():
        raise ConfigError(
            f"{setting} points at {place_of(reference)}, which is not set or empty. Put the secret there, or point "
            f"{setting} at another place."
        )
    return value.strip()


def entra_credential(entra: Entra | None, *, setting: str) -> TokenCredential:
    """Give the credential that `service.entra` describes, else azure-identity's default chain.

    Raises EnvironmentProblem when azure-identity is not installed, ConfigError when a secret is missing.
    """
    try:
        from azure.identity import ClientSecretCredential, DefaultAzureCredential, WorkloadIdentityCredential
    except ImportError:
        raise EnvironmentProblem(
            f"{setting} is not set, so Entra ID signs in, but azure-identity is not installed. Run `pip install "
            f"azure-identity`, or set {setting}."
        ) from None
    if entra is None:
        return DefaultAzureCredential()
    if entra.service_credential is not None:
        return _service_credential(entra.service_credential)
    tenant = _plain(entra.tenant_id, "service.entra.tenant_id")
    client = _plain(entra.client_id, "service.entra.client_id")
    if entra.token_file is not None:
        return WorkloadIdentityCredential(tenant_id=tenant, client_id=client, token_file_path=entra.token_file)
    secret = _plain(entra.client_secret, "service.entra.client_secret")
    return ClientSecretCredential(tenant_id=tenant, client_id=client, client_secret=secret)


def _plain(given: str | SecretRef | None, setting: str) -> str:
    return resolve(given, setting=setting) if isinstance(given, SecretRef) else str(given)


def _service_credential(name: str) -> TokenCredential:
    tools: Any = workspace_client(needed_for="service.entra.service_credential").dbutils
    try:
        credential: TokenCredential = tools.credentials.getServiceCredentialsProvider(name)
    except (AttributeError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"service.entra.service_credential: {name} gives no credential here ({type(error).__name__}). It works on "
            f"Databricks compute alone (16.2 and later, serverless); you need ACCESS on it."
        ) from None
    return credential


def entra_token_provider(credential: TokenCredential, *, api: str) -> Callable[[], str]:
    """Give a function that returns a valid Entra token for the data plane; tokens are cached by the credential."""
    scope = SCOPES[api]

    def token() -> str:
        try:
            return credential.get_token(scope).token
        except AzureError as error:
            raise sign_in_problem(error, setting="service.api_key") from None

    return token


class RenewableToken:
    """Gives valid Entra tokens of the credential that the settings describe; `renew` forgets the tokens that it kept.

    Raises EnvironmentProblem when azure-identity is not installed.
    """

    def __init__(self, *, api: str, entra: Entra | None = None) -> None:
        self._api = api
        self._entra = entra
        self.renew()

    def __call__(self) -> str:
        return self._token()

    def renew(self) -> None:
        """Begin with a new credential."""
        credential = entra_credential(self._entra, setting="service.api_key")
        self._token = entra_token_provider(credential, api=self._api)


def sign_in_problem(error: AzureError, *, setting: str) -> ConfigError:
    """Explain that Entra ID gave no token."""
    return ConfigError(
        f"{setting} is not set, so Entra ID signs in, but no credential gave a token "
        f"({type(error).__name__}). Run `az login`, set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, "
        f"describe one in service.entra, or set {setting}."
    )


def resource_manager_credential(service: Service, *, environment: Mapping[str, str] | None = None) -> TokenCredential:
    """Give the credential for ARM: the static token of the settings, else Entra ID."""
    if service.resource_manager_token is None:
        return entra_credential(service.entra, setting="service.resource_manager_token")
    setting = "service.resource_manager_token"
    return StaticToken(resolve(service.resource_manager_token, setting=setting, environment=environment))


def _databricks_secret(scope: str, key: str, setting: str) -> str:
    client = workspace_client(needed_for=setting)
    from databricks.sdk.errors.base import DatabricksError

    try:
        return str(client.dbutils.secrets.get(scope, key))
    except (DatabricksError, ValueError) as error:
        raise ConfigError(
            f"{setting}: secret {key} of Databricks scope {scope} cannot be read ({type(error).__name__}). Check both "
            f"names and that you have READ on the scope, and that this machine is signed in to the workspace."
        ) from None
