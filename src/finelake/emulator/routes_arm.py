"""Paths of the control plane: accounts and their deployments."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from finelake.emulator.catalogue import BaseModel
from finelake.emulator.deployments import SKUS, Deployment, Usage, usage_name
from finelake.emulator.errors import ApiError
from finelake.emulator.security import Body
from finelake.emulator.services import Services
from finelake.emulator.wire import Json

_LOCATION = "swedencentral"
_PROVIDER = "Microsoft.CognitiveServices"
_ACCOUNT = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{_PROVIDER}/accounts/{{account}}"
_OPERATION = (
    f"/subscriptions/{{subscription}}/providers/{_PROVIDER}/locations/{{location}}/operationResults/{{operation}}"
)
_USAGES = f"/subscriptions/{{subscription}}/providers/{_PROVIDER}/locations/{{location}}/usages"
# Pollers take a Retry-After of 0 for none and wait 30 seconds, so the shortest that helps is 1.
_SOON = {"Retry-After": "1"}


class ArmRoutes:
    """The ARM calls of `azure-mgmt-cognitiveservices` that deploy a model."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.router = APIRouter()
        add = self.router.add_api_route
        add(_ACCOUNT, self.account, methods=["GET"])
        add(_ACCOUNT + "/models", self.models, methods=["GET"])
        add(_USAGES, self.usages, methods=["GET"])
        add(_ACCOUNT + "/deployments", self.every, methods=["GET"])
        add(_ACCOUNT + "/deployments/{name}", self.put, methods=["PUT"])
        add(_ACCOUNT + "/deployments/{name}", self.get, methods=["GET"])
        add(_ACCOUNT + "/deployments/{name}", self.delete, methods=["DELETE"])
        add(_OPERATION, self.operation, methods=["GET"])

    def account(self, request: Request, subscription: str, group: str, account: str) -> Response:
        """Show an account; every name is one, with this address as its endpoint."""
        endpoint = str(request.base_url)
        view = {
            "id": _account_path(subscription, group, account),
            "name": account,
            "type": f"{_PROVIDER}/accounts",
            "location": _LOCATION,
            "kind": "AIServices",
            "sku": {"name": "S0"},
            "properties": {
                "provisioningState": "Succeeded",
                "endpoint": endpoint,
                "endpoints": {"OpenAI Language Model Instance API": endpoint},
                "customSubDomainName": account,
            },
        }
        return JSONResponse(view)

    def models(self) -> Response:
        """List the models that an account may use, with their last days."""
        return JSONResponse({"value": [_model_view(model) for model in self._services.models.bases()]})

    def usages(self, location: str) -> Response:
        """List the quotas of the subscription; there is one region, and each tuned kind has the quota of its base."""
        if location.lower() != _LOCATION:
            return JSONResponse({"value": []})
        return JSONResponse({"value": [_usage_view(one) for one in self._services.deployments.usages()]})

    def every(self, subscription: str, group: str, account: str) -> Response:
        """List the deployments of an account."""
        found = self._services.deployments.of_account(_account_path(subscription, group, account))
        return JSONResponse({"value": [self._view(one) for one in found]})

    def get(self, subscription: str, group: str, account: str, name: str) -> Response:
        """Show a deployment."""
        return JSONResponse(self._view(self._find(_account_path(subscription, group, account), name)), headers=_SOON)

    def put(self, subscription: str, group: str, account: str, name: str, body: Body) -> Response:
        """Create or change a deployment."""
        path = _account_path(subscription, group, account)
        deployment, created = self._services.deployments.put(path, name, body)
        return JSONResponse(self._view(deployment), 201 if created else 200, _SOON)

    def delete(self, request: Request, subscription: str, group: str, account: str, name: str) -> Response:
        """Begin to delete a deployment; 204 when there is none."""
        deployment = self._services.deployments.delete(_account_path(subscription, group, account), name)
        if deployment is None:
            return Response(status_code=204)
        path = _OPERATION.format(subscription=subscription, location=_LOCATION, operation=deployment.seq)
        return Response(status_code=202, headers={**_SOON, "location": str(request.url.replace(path=path))})

    def operation(self, operation: int) -> Response:
        """Tell whether a deletion is done: 202 while it goes on, then 204."""
        if self._services.deployments.exists(operation):
            return Response(status_code=202, headers=_SOON)
        return Response(status_code=204)

    def _find(self, path: str, name: str) -> Deployment:
        try:
            return self._services.deployments.get(path, name)
        except ApiError:
            raise ApiError(
                404, "ResourceNotFound", f"The resource '{path}/deployments/{name}' was not found."
            ) from None

    def _view(self, deployment: Deployment) -> Json:
        state = self._services.deployments.state(deployment)
        return {
            "id": f"{deployment.account}/deployments/{deployment.name}",
            "name": deployment.name,
            "type": f"{_PROVIDER}/accounts/deployments",
            "sku": {"name": deployment.sku, "capacity": deployment.capacity},
            "properties": {
                "model": {"format": "OpenAI", "name": deployment.model, "version": deployment.version},
                "versionUpgradeOption": "NoAutoUpgrade",
                "provisioningState": state,
                "capabilities": {"chatCompletion": "true"},
                "rateLimits": [{"key": "token", "renewalPeriod": 60, "count": deployment.capacity * 1000}],
            },
            "systemData": {
                "createdBy": "rehearsal",
                "createdByType": "User",
                "createdAt": datetime.fromtimestamp(deployment.created_at, UTC).isoformat(),
            },
            "etag": hashlib.sha256(f"{deployment}{state}".encode()).hexdigest()[:32],
        }


def _model_view(model: BaseModel) -> Json:
    return {
        "format": "OpenAI",
        "name": model.alias,
        "version": model.version,
        "lifecycleStatus": "GenerallyAvailable",
        "deprecation": {
            "fineTune": f"{model.training_until}T00:00:00Z",
            "inference": f"{model.answers_until}T00:00:00Z",
        },
        "skus": [{"name": sku, "usageName": usage_name(sku, model.alias, tuned=False)} for sku in SKUS],
    }


def _usage_view(usage: Usage) -> Json:
    name = {"value": usage.name, "localizedValue": f"Tokens Per Minute (thousands) - {usage.name}"}
    return {"name": name, "currentValue": usage.used, "limit": usage.limit, "unit": "Count"}


def _account_path(subscription: str, group: str, account: str) -> str:
    return _ACCOUNT.format(subscription=subscription, group=group, account=account)
