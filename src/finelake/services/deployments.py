"""Deployments of an Azure OpenAI resource, through Azure's resource manager (ARM)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
from azure.mgmt.cognitiveservices.models import Deployment, DeploymentModel, DeploymentProperties, Sku

from finelake.config.settings import Service
from finelake.errors import ConfigError, ServiceError
from finelake.services.credentials import place_of, resource_manager_credential, sign_in_problem
from finelake.services.identity import checked_address, is_loopback

_PUBLIC_CLOUD = "https://management.azure.com"
_PARENT_CODES = {"ResourceGroupNotFound", "SubscriptionNotFound", "ParentResourceNotFound", "InvalidSubscriptionId"}
_BUSY_CODES = {"RequestConflict", "AnotherOperationInProgress", "Conflict"}


class BusyError(ServiceError):
    """Raised when the account is being changed by another operation: one write at a time, try again soon."""


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """A model as ARM names it: format ("OpenAI"), name, version."""

    format: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment as ARM reports it; `state` is its provisioning state."""

    name: str
    model: str
    version: str
    state: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a deployment shall be; `capacity` in thousands of tokens a minute."""

    name: str
    model: ModelAddress
    sku: str
    capacity: int


class Deployments:
    """The deployments of one account."""

    def __init__(self, client: Any, *, group: str, account: str, where: str, credential: str, https: bool) -> None:
        self._client = client
        self._group = group
        self._account = account
        self._where = where
        self._credential = credential
        self._options: dict[str, Any] = {} if https else {"enforce_https": False}

    def find(self, name: str) -> Deployed | None:
        """Look a deployment up; None when there is none of that name."""
        with self._explained(f"looking up deployment {name}"):
            try:
                found = self._client.deployments.get(self._group, self._account, name, **self._options)
            except ResourceNotFoundError as error:
                if _code(error) in _PARENT_CODES:
                    raise self._no_account(error) from None
                return None
        properties = found.properties
        model = properties.model
        return Deployed(name, model.name or "", model.version or "", str(properties.provisioning_state or "unknown"))

    def put(self, target: Target) -> None:
        """Ask for a deployment; it is made, or changed, after this returns.

        Raises BusyError when another operation runs, ServiceError when ARM refuses.
        """
        deployment = Deployment(
            sku=Sku(name=target.sku, capacity=target.capacity),
            properties=DeploymentProperties(
                model=DeploymentModel(format=target.model.format, name=target.model.name, version=target.model.version)
            ),
        )
        with self._explained(f"writing deployment {target.name}"):
            self._client.deployments.begin_create_or_update(
                self._group, self._account, target.name, deployment, polling=False, **self._options
            )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _no_account(self, error: HttpResponseError) -> ServiceError:
        return ServiceError(
            f"{self._where} knows no account {self._account} in resource group {self._group} ({_code(error)}). Correct "
            f"service.subscription_id, service.resource_group, service.account and service.resource_manager."
        )

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except ClientAuthenticationError as error:
            raise self._signing_in(error, action) from None
        except HttpResponseError as error:
            raise self._refused(error, action) from None
        except (ServiceRequestError, ServiceResponseError) as error:
            raise ServiceError(
                f"The resource manager {self._where} cannot be reached while {action} ({type(error).__name__}). Check "
                f"service.resource_manager, network and proxy, and run the same again; what is done stays done."
            ) from None
        except AzureError as error:
            raise ServiceError(f"{self._where} could not be used while {action} ({type(error).__name__}).") from None

    def _signing_in(self, error: ClientAuthenticationError, action: str) -> Exception:
        if error.response is None:
            return sign_in_problem(error, setting="service.resource_manager_token")
        return ServiceError(
            f"{self._where} refused the credential (401) while {action}. It came from {self._credential}. Sign in to "
            f"the tenant of the subscription, or correct the token."
        )

    def _refused(self, error: HttpResponseError, action: str) -> ServiceError:
        code, message = _code(error), _message(error)
        if error.status_code == 409 and code in _BUSY_CODES:
            return BusyError(f"{self._where}: account {self._account} is busy with another operation ({code}).")
        if error.status_code == 404:
            return self._no_account(error)
        said = f"{self._where} refused {action} ({error.status_code}, {code}): {message}"
        if code == "InsufficientQuota":
            return ServiceError(
                f"{said} Lower deployment.capacity, delete deployments that are no longer used (they keep their "
                f"quota), choose another deployment.sku, or ask for more quota, then run the same again."
            )
        if error.status_code == 403:
            return ServiceError(
                f"{said} Deploying needs Microsoft.CognitiveServices/accounts/deployments/write on the account, for "
                f"example the role Cognitive Services Contributor or Foundry Owner."
            )
        return ServiceError(f"{said} Correct the deployment settings that the message names and run the same again.")


def connect_deployments(service: Service) -> Deployments:
    """Prepare the ARM client; nothing is sent yet. Raises ConfigError that lists the names that are missing."""
    needed = {
        "service.subscription_id": service.subscription_id,
        "service.resource_group": service.resource_group,
        "service.account": service.account,
    }
    missing = [setting for setting, value in needed.items() if not value]
    if missing:
        raise ConfigError(f"{', '.join(missing)} not set. Deploying the tuned model through ARM needs all three.")
    address = checked_address(service.resource_manager, setting="service.resource_manager", example=_PUBLIC_CLOUD)
    token = service.resource_manager_token
    client = CognitiveServicesManagementClient(
        resource_manager_credential(service),
        str(service.subscription_id),
        base_url=address,
        credential_scopes=[f"{_PUBLIC_CLOUD if is_loopback(address) else address}/.default"],
    )
    return Deployments(
        client,
        group=str(service.resource_group),
        account=str(service.account),
        where=address,
        credential=place_of(token) if token is not None else "Entra ID (azure-identity's default chain)",
        https=address.startswith("https://"),
    )


def _code(error: HttpResponseError) -> str:
    return str(getattr(error.error, "code", None) or "no code")


def _message(error: HttpResponseError) -> str:
    return str(getattr(error.error, "message", None) or error.reason or "no message").strip()
