"""Deployments of an Azure OpenAI resource, through Azure's resource manager (ARM)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
from azure.mgmt.cognitiveservices.models import AccountModel, Deployment, DeploymentModel, DeploymentProperties, Sku

from finelake.config.settings import Service
from finelake.errors import ConfigError, ServiceError
from finelake.services.contact import PassingError, UnreadableError
from finelake.services.credentials import place_of, resource_manager_credential, sign_in_problem
from finelake.services.deployed import BusyError, Deployed, QuotaError, Target, UnreachedError
from finelake.services.identity import checked_address, is_loopback
from finelake.services.offers import Offer, Quota
from finelake.services.waits import retry_after

_PUBLIC_CLOUD = "https://management.azure.com"
_PARENT_CODES = {"ResourceGroupNotFound", "SubscriptionNotFound", "ParentResourceNotFound", "InvalidSubscriptionId"}
_BUSY_CODES = {"RequestConflict", "AnotherOperationInProgress", "Conflict"}
_QUOTA_CODES = {"InsufficientQuota", "QuotaExceeded"}
_RENEWALS = 2


class Deployments:
    """The deployments of one account."""

    def __init__(
        self, connect: Callable[[], Any], *, group: str, account: str, where: str, credential: str, https: bool
    ) -> None:
        self._connect = connect
        self._client = connect()
        self._refused = 0
        self._group = group
        self._account = account
        self._where = where
        self._credential = credential
        self._options: dict[str, Any] = {} if https else {"enforce_https": False}

    def greet(self) -> None:
        """Ask for the list of deployments, so that a wrong name or address is known before anything is done.

        Raises PassingError for what may pass, ServiceError for the rest.
        """
        try:
            self.every()
        except UnreadableError as error:
            raise ServiceError(f"{error} Correct service.resource_manager.") from None
        except UnreachedError as error:
            raise ServiceError(str(error)) from None

    def find(self, name: str) -> Deployed | None:
        """Look a deployment up; None when there is none of that name."""
        with self._explained(f"looking up deployment {name}"):
            try:
                found = self._client.deployments.get(self._group, self._account, name, **self._options)
            except ResourceNotFoundError as error:
                if _code(error) in _PARENT_CODES:
                    raise self._no_account(error) from None
                return None
            return _deployed(found, name)

    def every(self) -> list[Deployed]:
        """Give the account's deployments."""
        with self._explained("listing deployments"):
            found = list(self._client.deployments.list(self._group, self._account, **self._options))
            return [_deployed(one, str(one.name)) for one in found]

    def location(self) -> str:
        """Give the account's region, as in `swedencentral`."""
        with self._explained("looking at the account"):
            found = self._client.accounts.get(self._group, self._account, **self._options)
            return str(found.location).replace(" ", "").lower()

    def quotas(self, location: str) -> tuple[Quota, ...]:
        """Give the subscription's quotas in a region; ServiceError where the identity may not read them."""
        with self._explained("reading the quotas"):
            found = self._client.usages.list(location, **self._options)
            return tuple(
                Quota(str(one.name.value), float(one.current_value or 0), float(one.limit or 0)) for one in found
            )

    def offers(self) -> tuple[Offer, ...]:
        """Give the models that the account may use."""
        with self._explained("listing the models of the account"):
            found = self._client.accounts.list_models(self._group, self._account, **self._options)
            return tuple(_offer(one) for one in found)

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

    def delete(self, name: str) -> None:
        """Ask for the end of a deployment; it is gone some time after this returns, and then its quota.

        Raises BusyError when another operation runs, ServiceError when ARM refuses.
        """
        with self._explained(f"deleting deployment {name}"):
            self._client.deployments.begin_delete(self._group, self._account, name, polling=False, **self._options)

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
        except (DecodeError, DeserializationError, AttributeError, TypeError, KeyError) as error:
            # The SDK trips over a web page, or over JSON of another form, where it expects a deployment.
            raise UnreadableError(
                f"What {self._where} answered while {action} is not the resource manager's ({type(error).__name__})."
            ) from None
        except HttpResponseError as error:
            raise self._said_no(error, action) from None
        except (ServiceRequestError, ServiceResponseError) as error:
            kind = UnreachedError if isinstance(error, ServiceRequestError) else PassingError
            raise kind(
                f"The resource manager {self._where} cannot be reached while {action} ({type(error).__name__}). Check "
                f"service.resource_manager, network and proxy, and run the same again; what is done stays done."
            ) from None
        except AzureError as error:
            raise ServiceError(f"{self._where} could not be used while {action} ({type(error).__name__}).") from None
        self._refused = 0

    def _signing_in(self, error: ClientAuthenticationError, action: str) -> Exception:
        if error.response is None:
            return sign_in_problem(error, setting="service.resource_manager_token")
        self._refused += 1
        message = (
            f"{self._where} refused the credential (401) while {action}. It came from {self._credential}. Sign in to "
            f"the tenant of the subscription, or correct the token."
        )
        if self._refused > _RENEWALS:
            return ServiceError(message)
        # The SDK keeps a token until it expires by this machine's clock; a new client asks for a new one.
        self._client.close()
        self._client = self._connect()
        return PassingError(message)

    def _said_no(self, error: HttpResponseError, action: str) -> ServiceError:
        code, message, status = _code(error), _message(error), error.status_code or 0
        if status == 409 and code in _BUSY_CODES:
            return BusyError(
                f"{self._where}: account {self._account} is busy with another operation ({code}).",
                retry_after=_retry_after(error),
            )
        if status == 404:
            return self._no_account(error)
        said = f"{self._where} refused {action} ({status}, {code}): {message}"
        if status in {408, 429} or status >= 500:
            return PassingError(said, retry_after=_retry_after(error))
        if code in _QUOTA_CODES:
            return QuotaError(said)
        if status == 403:
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

    def connect() -> Any:
        return CognitiveServicesManagementClient(
            resource_manager_credential(service),
            str(service.subscription_id),
            base_url=address,
            credential_scopes=[f"{_PUBLIC_CLOUD if is_loopback(address) else address}/.default"],
            retry_total=0,
        )

    return Deployments(
        connect,
        group=str(service.resource_group),
        account=str(service.account),
        where=address,
        credential=place_of(token) if token is not None else "Entra ID (azure-identity's default chain)",
        https=address.startswith("https://"),
    )


def _deployed(found: Deployment, name: str) -> Deployed:
    properties, sku, system = found.properties, found.sku, found.system_data
    model = properties.model if properties is not None else None
    return Deployed(
        name=name,
        model=(model.name if model is not None else None) or "",
        version=(model.version if model is not None else None) or "",
        state=str((properties.provisioning_state if properties is not None else None) or "unknown"),
        sku=(sku.name if sku is not None else None) or "",
        capacity=(sku.capacity if sku is not None else None) or 0,
        created_at=getattr(system, "created_at", None),
    )


def _offer(found: AccountModel) -> Offer:
    ends = found.deprecation
    return Offer(
        name=str(found.name or ""),
        version=str(found.version or ""),
        status=str(found.lifecycle_status or ""),
        training_until=_day(getattr(ends, "fine_tune", None)),
        inference_until=_day(getattr(ends, "inference", None)),
        skus=tuple(str(sku.name) for sku in found.skus or ()),
    )


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def _retry_after(error: HttpResponseError) -> float | None:
    headers = getattr(error.response, "headers", {})
    return retry_after(headers.get("retry-after"), answered_at=headers.get("date"))


def _code(error: HttpResponseError) -> str:
    return str(getattr(error.error, "code", None) or "no code")


def _message(error: HttpResponseError) -> str:
    return str(getattr(error.error, "message", None) or error.reason or "no message").strip()
